{{/*
The autoscaler's environment.
*/}}
{{- define "dask-operator.autoscaler.env" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: DASK_OPERATOR_AUTOSCALER_HTTP_PORT
  value: {{ include "dask-operator.autoscaler.port" . | quote }}
- name: DASK_OPERATOR_AUTOSCALER_LOG_LEVEL
  value: {{ .Values.autoscaler.logLevel }}
- name: DASK_OPERATOR_AUTOSCALER_LOG_FORMAT
  value: {{ .Values.autoscaler.logFormat }}
- name: DASK_OPERATOR_AUTOSCALER_WATCH_NAMESPACES
  value: {{ join "," .Values.watchNamespaces | quote }}
{{- end }}

{{/*
Port of the autoscaler's health endpoints. Not the operator's, beside which it may run in one Pod.
*/}}
{{- define "dask-operator.autoscaler.port" -}}
8081
{{- end }}
