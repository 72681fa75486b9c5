{{/*
What Prometheus needs to find the operator and the autoscaler, from the same dict as in _component.tpl.
*/}}

{{- define "dask-operator.metrics.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- $values := .root.Values.metrics.service }}
  {{- include "dask-operator.component.metadata" (merge (dict "annotations" $values.annotations) .) | nindent 2 }}
spec:
  clusterIP: None
  # The numbers of a Pod that is not ready say why it is not.
  publishNotReadyAddresses: true
  ports:
    - name: http
      port: {{ include (printf "dask-operator.%s.port" .component) .root }}
      targetPort: {{ include "dask-operator.component.portName" . }}
      protocol: TCP
  selector:
    {{- include "dask-operator.component.selectorLabels" (dict "root" .root "component" (include "dask-operator.component.host" .)) | nindent 4 }}
{{- end }}

{{- define "dask-operator.metrics.serviceMonitor" -}}
{{- $values := .root.Values.metrics.serviceMonitor -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  {{- include "dask-operator.component.metadata" (merge (dict "labels" $values.labels) .) | nindent 2 }}
spec:
  selector:
    matchLabels:
      {{- include "dask-operator.component.selectorLabels" . | nindent 6 }}
  endpoints:
    - {{ include "dask-operator.metrics.endpoint" (dict "port" "http" "values" $values) | nindent 6 | trim }}
{{- end }}

{{- define "dask-operator.metrics.podMonitor" -}}
{{- $values := .root.Values.metrics.podMonitor -}}
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  {{- include "dask-operator.component.metadata" (merge (dict "labels" $values.labels) .) | nindent 2 }}
spec:
  selector:
    matchLabels:
      {{- include "dask-operator.component.selectorLabels" (dict "root" .root "component" (include "dask-operator.component.host" .)) | nindent 6 }}
  podMetricsEndpoints:
    - {{ include "dask-operator.metrics.endpoint" (dict "port" (include "dask-operator.component.portName" .) "values" $values) | nindent 6 | trim }}
{{- end }}

{{/*
How one port is asked, from a dict of `port` and `values`.
*/}}
{{- define "dask-operator.metrics.endpoint" -}}
port: {{ .port }}
path: /metrics
{{- range $key := list "interval" "scrapeTimeout" }}
{{- with index $.values $key }}
{{ $key }}: {{ . | quote }}
{{- end }}
{{- end }}
{{- with .values.relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
