{{/*
"true" where the autoscaler has a Deployment, empty where it runs beside the operator or not at all.
*/}}
{{- define "dask-operator.autoscaler.alone" -}}
{{- if and .Values.autoscaler.enabled (eq .Values.autoscaler.mode "deployment") }}true{{ end }}
{{- end }}

{{/*
"true" where the autoscaler is a second container of the operator's Pod.
*/}}
{{- define "dask-operator.autoscaler.beside" -}}
{{- if and .Values.autoscaler.enabled (eq .Values.autoscaler.mode "sidecar") }}true{{ end }}
{{- end }}

{{/*
The autoscaler's environment.
*/}}
{{- define "dask-operator.autoscaler.env" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_UID
  valueFrom:
    fieldRef:
      fieldPath: metadata.uid
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: DASK_OPERATOR_AUTOSCALER_LEASE
  value: {{ include "dask-operator.component.name" (dict "root" . "component" "autoscaler") | quote }}
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
Port of the autoscaler's health endpoints and metrics. Not the operator's, beside which it may run in one Pod.
*/}}
{{- define "dask-operator.autoscaler.port" -}}
8081
{{- end }}
