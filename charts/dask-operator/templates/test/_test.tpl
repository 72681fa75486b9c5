{{- define "dask-operator.test.name" -}}
{{- printf "%s-test" (include "dask-operator.fullname" .) }}
{{- end }}

{{/*
Metadata of what belongs to the test: it comes and goes with `helm test`. From a dict of `root` and `weight`, and
`namespace` where that is not the release's.
*/}}
{{- define "dask-operator.test.metadata" -}}
name: {{ include "dask-operator.test.name" .root | quote }}
namespace: {{ .namespace | default .root.Release.Namespace | quote }}
labels:
  {{- include "dask-operator.labels" .root | nindent 2 }}
  app.kubernetes.io/component: test
annotations:
  helm.sh/hook: test
  helm.sh/hook-weight: {{ .weight | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/*
Name and namespace of the DaskCluster: the operator looks after the latter.
*/}}
{{- define "dask-operator.test.cluster.name" -}}
{{- printf "test-%s" (include "dask-operator.fullname" . | replace "." "-") | trunc 53 | trimSuffix "-" }}
{{- end }}

{{- define "dask-operator.test.cluster.namespace" -}}
{{- first (append .Values.watchNamespaces .Release.Namespace) }}
{{- end }}

{{/*
Pod Security restricted, for images that would run as root too.
*/}}
{{- define "dask-operator.test.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "dask-operator.test.securityContext" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
{{- end }}

{{/*
The DaskCluster.
*/}}
{{- define "dask-operator.test.cluster" -}}
apiVersion: kubernetes.dask.org/v1
kind: DaskCluster
metadata:
  name: {{ include "dask-operator.test.cluster.name" . | quote }}
  labels:
    app.kubernetes.io/instance: {{ .Release.Name | quote }}
    app.kubernetes.io/component: test
spec:
  {{- range $component := list "scheduler" "worker" }}
  {{ $component }}:
    spec:
      securityContext:
        {{- include "dask-operator.test.podSecurityContext" $ | nindent 8 }}
      containers:
        - name: {{ $component }}
          securityContext:
            {{- include "dask-operator.test.securityContext" $ | nindent 12 }}
          env:
            - name: HOME
              value: /tmp
  {{- end }}
{{- end }}
