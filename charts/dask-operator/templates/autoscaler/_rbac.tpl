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
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end }}
