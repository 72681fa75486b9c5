{{/*
What the operator and the autoscaler have in common. Each piece takes a dict of
  root        the chart's context
  component   "operator" or "autoscaler": the key of its values, its label, the name of its container
and finds what only one of them has in "dask-operator.<component>.env" and "dask-operator.<component>.port".
*/}}

{{/*
Name of a component's objects: the operator has the release's. 52 characters of that leave room for the suffix.
*/}}
{{- define "dask-operator.component.name" -}}
{{- $name := include "dask-operator.fullname" .root }}
{{- if eq .component "operator" }}
{{- $name }}
{{- else }}
{{- printf "%s-%s" $name .component }}
{{- end }}
{{- end }}

{{/*
Name of a component's cluster-scoped objects: those of another release of the same name, in another namespace, are others.
*/}}
{{- define "dask-operator.component.clusterName" -}}
{{- printf "%s:%s" .root.Release.Namespace (include "dask-operator.component.name" .) }}
{{- end }}

{{- define "dask-operator.component.labels" -}}
{{ include "dask-operator.labels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/*
Metadata of a namespaced object of a component; `name`, `labels` and `annotations` where they are others than usual.
*/}}
{{- define "dask-operator.component.metadata" -}}
name: {{ .name | default (include "dask-operator.component.name" .) | quote }}
namespace: {{ .namespace | default .root.Release.Namespace | quote }}
labels:
  {{- $own := include "dask-operator.component.labels" . | fromYaml }}
  {{- merge $own (.labels | default dict) | toYaml | nindent 2 }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
Labels that select a component's Pods. They never change in the life of a release.
*/}}
{{- define "dask-operator.component.selectorLabels" -}}
app.kubernetes.io/name: {{ include "dask-operator.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/*
Labels of a component's Pods: those of the selector, and its podLabels, which cannot replace them.
*/}}
{{- define "dask-operator.component.podLabels" -}}
{{- $own := include "dask-operator.component.selectorLabels" . | fromYaml }}
{{- $more := (index .root.Values .component).podLabels }}
{{- range $name, $_ := $more }}
{{- if hasKey $own $name }}
{{- fail (printf "%s.podLabels: %s is set by the chart, which selects its Pods by it" $.component $name) }}
{{- end }}
{{- end }}
{{- merge $own $more | toYaml }}
{{- end }}

{{/*
The component in whose Pod this one runs: itself, but for an autoscaler beside the operator.
*/}}
{{- define "dask-operator.component.host" -}}
{{- if and (eq .component "autoscaler") (include "dask-operator.autoscaler.beside" .root) }}operator{{ else }}{{ .component }}{{ end }}
{{- end }}

{{/*
Name of a component's port: http in its own Pod.
*/}}
{{- define "dask-operator.component.portName" -}}
{{- if eq .component (include "dask-operator.component.host" .) }}http{{ else }}{{ .component }}{{ end }}
{{- end }}

{{- define "dask-operator.component.serviceAccountName" -}}
{{- $host := include "dask-operator.component.host" . }}
{{- $account := (index .root.Values $host).serviceAccount }}
{{- if $account.create }}
{{- default (include "dask-operator.component.name" (dict "root" .root "component" $host)) $account.name }}
{{- else }}
{{- default "default" $account.name }}
{{- end }}
{{- end }}

{{- define "dask-operator.component.serviceAccount" -}}
{{- $account := (index .root.Values .component).serviceAccount }}
{{- if $account.create -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- $name := include "dask-operator.component.serviceAccountName" . }}
  {{- include "dask-operator.component.metadata" (merge (dict "name" $name "annotations" $account.annotations) .) | nindent 2 }}
# The Pods say themselves whether they have the token.
automountServiceAccountToken: false
{{- end }}
{{- end }}

{{/*
A binding to the component's account; beside root and component a dict of `kind` (Role or ClusterRole), `name`, and
`namespace` of a Role.
*/}}
{{- define "dask-operator.component.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  {{- if eq .kind "Role" }}
  {{- include "dask-operator.component.metadata" . | nindent 2 }}
  {{- else }}
  name: {{ .name | quote }}
  labels:
    {{- include "dask-operator.component.labels" . | nindent 4 }}
  {{- end }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name | quote }}
subjects:
  - kind: ServiceAccount
    name: {{ include "dask-operator.component.serviceAccountName" . | quote }}
    namespace: {{ .root.Release.Namespace | quote }}
{{- end }}

{{/*
A component's environment: what the chart sets, then its extraEnv. A name given twice is refused here, because the API
server would refuse it with less to say.
*/}}
{{- define "dask-operator.component.env" -}}
{{- $env := include (printf "dask-operator.%s.env" .component) .root | fromYamlArray }}
{{- $more := (index .root.Values .component).extraEnv }}
{{- $seen := dict }}
{{- range $env }}
{{- $_ := set $seen .name true }}
{{- end }}
{{- range $more }}
{{- if hasKey $seen .name }}
{{- fail (printf "%s.extraEnv: %s is set already, by the chart or earlier in the list" $.component .name) }}
{{- end }}
{{- $_ := set $seen .name true }}
{{- end }}
{{- concat $env $more | toYaml }}
{{- end }}

{{/*
A probe: what is asked from `path`, how often from the values.
*/}}
{{- define "dask-operator.component.probe" -}}
httpGet:
  path: {{ .path }}
  port: {{ .port }}
{{ toYaml .numbers }}
{{- end }}

{{/*
The container of a component.
*/}}
{{- define "dask-operator.component.container" -}}
{{- $values := index .root.Values .component }}
{{- $port := include "dask-operator.component.portName" . -}}
name: {{ .component }}
image: {{ include "dask-operator.image" (dict "root" .root "key" (printf "%s.image" .component) "image" $values.image "defaultTag" .root.Chart.AppVersion) | quote }}
imagePullPolicy: {{ $values.image.pullPolicy }}
{{- with $values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
env:
  {{- include "dask-operator.component.env" . | nindent 2 }}
ports:
  - name: {{ $port }}
    containerPort: {{ include (printf "dask-operator.%s.port" .component) .root }}
    protocol: TCP
startupProbe:
  {{- include "dask-operator.component.probe" (dict "path" "/healthz" "port" $port "numbers" $values.startupProbe) | nindent 2 }}
livenessProbe:
  {{- include "dask-operator.component.probe" (dict "path" "/healthz" "port" $port "numbers" $values.livenessProbe) | nindent 2 }}
readinessProbe:
  {{- include "dask-operator.component.probe" (dict "path" "/readyz" "port" $port "numbers" $values.readinessProbe) | nindent 2 }}
{{- with $values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.extraVolumeMounts }}
volumeMounts:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
Where several Pods of a component go, if nobody says: on different nodes, in different zones, where there are some.
*/}}
{{- define "dask-operator.component.spread" -}}
{{- $values := index .root.Values .component -}}
{{- if $values.topologySpreadConstraints }}
{{- toYaml $values.topologySpreadConstraints }}
{{- else if gt (int $values.replicas) 1 }}
{{- range $index, $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
{{- if $index }}{{ "\n" }}{{ end -}}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "dask-operator.component.selectorLabels" $ | nindent 6 }}
{{- end }}
{{- end }}
{{- end }}

{{/*
The PodSpec of a component.
*/}}
{{- define "dask-operator.component.podSpec" -}}
{{- $values := index .root.Values .component }}
{{- $beside := and (eq .component "operator") (include "dask-operator.autoscaler.beside" .root) }}
{{- $images := list $values.image }}
{{- if $beside }}
{{- $images = append $images .root.Values.autoscaler.image }}
{{- end -}}
serviceAccountName: {{ include "dask-operator.component.serviceAccountName" . | quote }}
automountServiceAccountToken: {{ $values.serviceAccount.automount }}
enableServiceLinks: false
{{- with include "dask-operator.pullSecrets" (dict "root" .root "images" $images) }}
imagePullSecrets:
  {{- . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with include "dask-operator.component.spread" . }}
topologySpreadConstraints:
  {{- . | nindent 2 }}
{{- end }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" }}
{{- with index $values $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with $values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - {{ include "dask-operator.component.container" . | nindent 4 | trim }}
  {{- if $beside }}
  - {{ include "dask-operator.component.container" (dict "root" .root "component" "autoscaler") | nindent 4 | trim }}
  {{- end }}
  {{- with $values.extraContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $values.extraVolumes }}
volumes:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "dask-operator.component.deployment" -}}
{{- $values := index .root.Values .component -}}
{{- $strategy := $values.strategy }}
{{- if eq $strategy.type "Recreate" }}
{{- $strategy = omit $strategy "rollingUpdate" }}
{{- end -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "dask-operator.component.metadata" (merge (dict "labels" $values.labels "annotations" $values.annotations) .) | nindent 2 }}
spec:
  replicas: {{ int (default 1 $values.replicas) }}
  strategy:
    {{- toYaml $strategy | nindent 4 }}
  selector:
    matchLabels:
      {{- include "dask-operator.component.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "dask-operator.component.podLabels" . | nindent 8 }}
      {{- with $values.podAnnotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      {{- include "dask-operator.component.podSpec" . | nindent 6 }}
{{- end }}

{{- define "dask-operator.component.podDisruptionBudget" -}}
{{- $values := index .root.Values .component -}}
{{- if and (gt (int $values.replicas) 1) $values.podDisruptionBudget.enabled -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "dask-operator.component.metadata" . | nindent 2 }}
spec:
  maxUnavailable: {{ $values.podDisruptionBudget.maxUnavailable }}
  # One that is not ready does no work, and is in nobody's way.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "dask-operator.component.selectorLabels" . | nindent 6 }}
{{- end }}
{{- end }}
