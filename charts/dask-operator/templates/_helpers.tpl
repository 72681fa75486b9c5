{{/*
The chart's name, for labels.
*/}}
{{- define "dask-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{/*
Name of the operator's objects, unique to the release. 52 characters leave room for a suffix below 63.
*/}}
{{- define "dask-operator.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/*
Labels of every object of the release.
*/}}
{{- define "dask-operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ include "dask-operator.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/*
An image reference, from a dict of
  root          the chart's context
  key           where the image stands in the values, for messages
  image         registry, repository, tag, digest
  defaultTag    optional: the tag where none is set
A digest wins over a tag. A registry for all images, the chart's or a parent chart's, wins over the image's own.
*/}}
{{- define "dask-operator.image" -}}
{{- $image := .image }}
{{- $global := .root.Values.global | default dict }}
{{- $registry := .root.Values.imageRegistry | default $global.imageRegistry | default $image.registry }}
{{- $name := $image.repository }}
{{- if $registry }}
{{- $name = printf "%s/%s" (trimSuffix "/" $registry) $image.repository }}
{{- end }}
{{- $tag := $image.tag | default .defaultTag }}
{{- if $image.digest }}
{{- printf "%s@%s" $name $image.digest }}
{{- else if $tag }}
{{- printf "%s:%s" $name $tag }}
{{- else }}
{{- fail (printf "%s: set %s.tag or %s.digest" .key .key .key) }}
{{- end }}
{{- end }}

{{/*
Pull secrets, each once, from a dict of `root` and `images`: a parent chart's, the chart's, the images' own. Text of a
parent chart is a name.
*/}}
{{- define "dask-operator.pullSecrets" -}}
{{- $global := .root.Values.global | default dict }}
{{- $found := list }}
{{- $all := concat ($global.imagePullSecrets | default list) .root.Values.imagePullSecrets }}
{{- range .images }}
{{- $all = concat $all .pullSecrets }}
{{- end }}
{{- range $all }}
{{- $secret := . }}
{{- if kindIs "string" $secret }}
{{- $secret = dict "name" $secret }}
{{- end }}
{{- $found = append $found $secret }}
{{- end }}
{{- with uniq $found }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{/*
The default image of Dask Pods.
*/}}
{{- define "dask-operator.daskImage" -}}
{{- include "dask-operator.image" (dict "root" . "key" "dask.image" "image" .Values.dask.image) }}
{{- end }}

{{/*
Names of the default pull secrets of Dask Pods, separated by commas.
*/}}
{{- define "dask-operator.daskPullSecrets" -}}
{{- $names := list }}
{{- range .Values.dask.image.pullSecrets }}
{{- $names = append $names .name }}
{{- end }}
{{- join "," $names }}
{{- end }}
