{{/*
The autoscaler's container: of a Pod of its own, or the second one of the operator's Pod.
*/}}
{{- define "dask-operator.autoscaler.container" -}}
- name: autoscaler
  image: {{ include "dask-operator.image" (dict "key" "autoscaler.image" "image" .Values.autoscaler.image "defaultTag" .Chart.AppVersion) }}
  imagePullPolicy: {{ .Values.autoscaler.image.pullPolicy }}
  securityContext:
    allowPrivilegeEscalation: false
    capabilities:
      drop: [ALL]
    readOnlyRootFilesystem: true
  env:
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
      value: {{ include "dask-operator.autoscaler.name" . | quote }}
    - name: DASK_OPERATOR_AUTOSCALER_HTTP_PORT
      value: {{ include "dask-operator.autoscaler.port" . | quote }}
    - name: DASK_OPERATOR_AUTOSCALER_LOG_LEVEL
      value: {{ .Values.autoscaler.logLevel }}
    - name: DASK_OPERATOR_AUTOSCALER_LOG_FORMAT
      value: {{ .Values.autoscaler.logFormat }}
    - name: DASK_OPERATOR_AUTOSCALER_WATCH_NAMESPACES
      value: {{ join "," .Values.watchNamespaces | quote }}
  ports:
    - name: {{ ternary "http" "autoscaler" (eq .Values.autoscaler.mode "deployment") }}
      containerPort: {{ include "dask-operator.autoscaler.port" . }}
      protocol: TCP
  startupProbe:
    httpGet:
      path: /healthz
      port: {{ include "dask-operator.autoscaler.port" . }}
    periodSeconds: 1
    timeoutSeconds: 5
    failureThreshold: 120
  livenessProbe:
    httpGet:
      path: /healthz
      port: {{ include "dask-operator.autoscaler.port" . }}
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 3
  readinessProbe:
    httpGet:
      path: /readyz
      port: {{ include "dask-operator.autoscaler.port" . }}
    periodSeconds: 5
    timeoutSeconds: 5
    failureThreshold: 2
  {{- with .Values.autoscaler.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
