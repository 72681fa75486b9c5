{{/*
Who may do what. The same dict as in _component.tpl, with
  rules         text: the rules
*/}}

{{/*
The right to hold a Lease, from its name.
*/}}
{{- define "dask-operator.lease.rule" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ . | quote }}]
  verbs: [get, patch]
{{- end }}

{{/*
A Role and its binding; `name` and `namespace` too.
*/}}
{{- define "dask-operator.role" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  {{- include "dask-operator.component.metadata" . | nindent 2 }}
rules:
  {{- .rules | nindent 2 }}
---
{{ include "dask-operator.component.binding" (merge (dict "kind" "Role") .) }}
{{- end }}

{{/*
A ClusterRole and its binding.
*/}}
{{- define "dask-operator.clusterRole" -}}
{{- $name := include "dask-operator.component.clusterName" . -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $name | quote }}
  labels:
    {{- include "dask-operator.component.labels" . | nindent 4 }}
rules:
  {{- .rules | nindent 2 }}
---
{{ include "dask-operator.component.binding" (merge (dict "kind" "ClusterRole" "name" $name) .) }}
{{- end }}
