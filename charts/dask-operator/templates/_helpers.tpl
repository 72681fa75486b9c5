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
Labels that select the operator's Pods. They never change in the life of a release.
*/}}
{{- define "dask-operator.operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "dask-operator.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: operator
{{- end }}

{{/*
Labels of the operator's Pods: those of the selector, and operator.podLabels, which cannot replace them.
*/}}
{{- define "dask-operator.operator.podLabels" -}}
{{- $own := include "dask-operator.operator.selectorLabels" . | fromYaml }}
{{- range $name, $_ := .Values.operator.podLabels }}
{{- if hasKey $own $name }}
{{- fail (printf "operator.podLabels: %s is set by the chart, which selects its Pods by it" $name) }}
{{- end }}
{{- end }}
{{- merge $own .Values.operator.podLabels | toYaml }}
{{- end }}

{{- define "dask-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "dask-operator.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/*
An image reference, from a dict of
  key           where the image stands in the values, for messages
  image         registry, repository, tag, digest
  defaultTag    optional: the tag where none is set
A digest wins over a tag.
*/}}
{{- define "dask-operator.image" -}}
{{- $image := .image }}
{{- $name := $image.repository }}
{{- if $image.registry }}
{{- $name = printf "%s/%s" (trimSuffix "/" $image.registry) $image.repository }}
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
