{{/*
What the operator does in a namespace that it looks after.
*/}}
{{- define "dask-operator.operator.rules" -}}
# Patched to take off the finalizer another operator may have left there. A job makes its cluster. Looked at anew before
# something is made again for one; deleted by its job, after spec.idleTimeout, or when its client is silent for too long
# (the annotation kubernetes.dask.org/time-to-live).
- apiGroups: [kubernetes.dask.org]
  resources: [daskclusters]
  verbs: [get, list, watch, create, patch, delete]
# Deleted when its ttlSecondsAfterFinished is over.
- apiGroups: [kubernetes.dask.org]
  resources: [daskjobs]
  verbs: [list, watch, patch, delete]
# Those in a cluster's spec are created, and deleted when they are no longer in there; the others are adopted by a
# patch.
- apiGroups: [kubernetes.dask.org]
  resources: [daskworkergroups]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [kubernetes.dask.org]
  resources: [daskautoscalers]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [kubernetes.dask.org]
  resources: [daskclusters/status, daskworkergroups/status, daskjobs/status]
  verbs: [patch]
{{- if not .Values.autoscaler.enabled }}
# That nobody serves them: there is no autoscaler to say so.
- apiGroups: [kubernetes.dask.org]
  resources: [daskautoscalers/status]
  verbs: [patch]
{{- end }}
# Schedulers, workers and the runners of jobs.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, patch, delete]
# What a worker or scheduler said last before it failed, for the status.
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
# Where clients find a scheduler. Garbage collection deletes it with its cluster.
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch]
# Where a scheduler is not to be evicted.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, delete]
# Patched where the same thing happens again. Listed for the one Pod that takes too long to start: what holds it
# up stands in its Events only.
- apiGroups: [""]
  resources: [events]
  verbs: [list, create, patch]
# Of clusters that the operator of dask-kubernetes has made: left alone until they are idle.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [list, delete]
{{- with .Values.operator.extraRules }}
# For plugins.
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
The Lease by which a release claims what it looks after. The name is the same for all releases: two cannot have one
in the same namespace.
*/}}
{{- define "dask-operator.claim" -}}
kubernetes.dask.org
{{- end }}

{{- define "dask-operator.claim.rule" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "dask-operator.claim" . }}]
  verbs: [get, patch]
{{- end }}

{{/*
Which releases look after some namespaces: the claims of that name, and nothing else.
*/}}
{{- define "dask-operator.claims.rule" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "dask-operator.claim" . }}]
  verbs: [list]
{{- end }}

{{/*
What the operator does in the release's own namespace.
*/}}
{{- define "dask-operator.operator.leaseRules" -}}
{{- include "dask-operator.lease.rule" (include "dask-operator.fullname" .) }}
{{- if not .Values.watchNamespaces }}
{{ include "dask-operator.claim.rule" . }}
{{- end }}
{{- end }}

{{/*
Tells every operator that this one looks after all namespaces. It allows nothing: there is no such resource. But any
service account finds the rule among its own, without a right to read anything.
*/}}
{{- define "dask-operator.operator.marker" -}}
{{- $me := dict "root" . "component" "operator" }}
{{- $name := printf "%s:scope" (include "dask-operator.component.clusterName" $me) -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $name | quote }}
  labels:
    {{- include "dask-operator.component.labels" $me | nindent 4 }}
rules:
  - apiGroups: [kubernetes.dask.org]
    resources: [allnamespaces]
    resourceNames: [{{ printf "%s/%s" .Release.Namespace (include "dask-operator.fullname" .) | quote }}]
    verbs: [lookedafterby]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $name | quote }}
  labels:
    {{- include "dask-operator.component.labels" $me | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ $name | quote }}
subjects:
  - apiGroup: rbac.authorization.k8s.io
    kind: Group
    name: system:serviceaccounts
{{- end }}
