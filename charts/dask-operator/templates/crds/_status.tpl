{{/*
Pieces of status that more than one kind is made of. Unknown fields are kept in all of them, so that a
schema older than the operator takes nothing away from what the operator writes.
*/}}

{{- define "dask-operator.crd.observedGeneration" -}}
type: integer
format: int64
description: The metadata.generation this status is about.
{{- end }}

{{- define "dask-operator.crd.conditions" -}}
type: array
description: What is true of the object at the moment, by type.
x-kubernetes-list-type: map
x-kubernetes-list-map-keys: [type]
items:
  type: object
  required: [type, status, lastTransitionTime, reason, message]
  properties:
    type:
      type: string
      maxLength: 316
      pattern: '^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$'
      description: Name of the condition.
    status:
      type: string
      enum: ["True", "False", Unknown]
      description: Whether the condition holds.
    reason:
      type: string
      minLength: 1
      maxLength: 1024
      pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$'
      description: Why, in one word for programs.
    message:
      type: string
      maxLength: 32768
      description: Why, in a sentence for people.
    lastTransitionTime:
      type: string
      format: date-time
      description: When the status of the condition changed last.
    observedGeneration:
      type: integer
      format: int64
      minimum: 0
      description: The metadata.generation the condition is about.
{{- end }}

{{- define "dask-operator.crd.workerCounts" -}}
type: object
description: Numbers of workers, {{ .scope }}.
x-kubernetes-preserve-unknown-fields: true
properties:
  desired:
    type: integer
    format: int32
    description: Workers that are wanted.
  ready:
    type: integer
    format: int32
    description: Workers whose Pods are ready.
  connected:
    type: integer
    format: int32
    description: Workers the scheduler knows.
  summary:
    type: string
    description: Ready and desired workers in the form 2/3.
{{- end }}

{{- define "dask-operator.crd.selector" -}}
type: string
description: Label selector of the Pods that status.replicas counts, for the scale subresource.
{{- end }}

{{- define "dask-operator.crd.exitCode" -}}
type: integer
format: int32
description: Exit code of the container.
{{- end }}

{{- define "dask-operator.crd.endReason" -}}
type: string
description: Why it ended, in one word of Kubernetes, for example Error, OOMKilled or Evicted.
{{- end }}

{{- define "dask-operator.crd.endLog" -}}
type: string
description: The last lines of its log, where they could be read.
{{- end }}
