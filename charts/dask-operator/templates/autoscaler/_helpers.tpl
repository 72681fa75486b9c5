{{/*
Name of the autoscaler's objects. 52 characters of the release's name leave room for the suffix.
*/}}
{{- define "dask-operator.autoscaler.name" -}}
{{- printf "%s-autoscaler" (include "dask-operator.fullname" .) }}
{{- end }}

{{/*
Labels that select the autoscaler's Pods. They never change in the life of a release.
*/}}
{{- define "dask-operator.autoscaler.selectorLabels" -}}
app.kubernetes.io/name: {{ include "dask-operator.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: autoscaler
{{- end }}

{{- define "dask-operator.autoscaler.labels" -}}
{{ include "dask-operator.labels" . }}
app.kubernetes.io/component: autoscaler
{{- end }}

{{- define "dask-operator.autoscaler.port" -}}
8081
{{- end }}

{{/*
What the autoscaler does in a namespace: it reads what it decides about, and writes one number, its own status and
Events.
*/}}
{{- define "dask-operator.autoscaler.rules" -}}
- apiGroups: [kubernetes.dask.org]
  resources: [daskclusters, daskworkergroups, daskautoscalers]
  verbs: [list, watch]
- apiGroups: [kubernetes.dask.org]
  resources: [daskworkergroups/scale, daskautoscalers/status]
  verbs: [patch]
# Patched where the same thing happens again.
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{/*
"true" where the autoscaler has a Deployment, empty where it runs beside the operator or not at all.
*/}}
{{- define "dask-operator.autoscaler.alone" -}}
{{- if and .Values.autoscaler.enabled (eq .Values.autoscaler.mode "deployment") }}true{{ end }}
{{- end }}

{{- define "dask-operator.autoscaler.serviceAccountName" -}}
{{- if include "dask-operator.autoscaler.alone" . }}
{{- include "dask-operator.autoscaler.name" . }}
{{- else }}
{{- include "dask-operator.serviceAccountName" . }}
{{- end }}
{{- end }}

{{- define "dask-operator.autoscaler.subjects" -}}
subjects:
  - kind: ServiceAccount
    name: {{ include "dask-operator.autoscaler.serviceAccountName" . | quote }}
    namespace: {{ .Release.Namespace | quote }}
{{- end }}
