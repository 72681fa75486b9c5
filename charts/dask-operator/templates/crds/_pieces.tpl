{{/*
Pieces of schema that more than one kind is made of. Each is written once, so that the kinds cannot drift apart.
*/}}

{{/*
Metadata of a CustomResourceDefinition, from a dict of `root` (the chart's context) and `plural`.
*/}}
{{- define "dask-operator.crd.metadata" -}}
name: {{ .plural }}.kubernetes.dask.org
labels:
  {{- include "dask-operator.labels" .root | nindent 2 }}
{{- if .root.Values.crds.keep }}
annotations:
  helm.sh/resource-policy: keep
{{- end }}
{{- end }}

{{/*
Description of a kind, from a dict of `root` (the chart's context) and `text`. The version at its end is how an
operator, which may not read CustomResourceDefinitions, finds in the API server's OpenAPI document how old they are.
*/}}
{{- define "dask-operator.crd.description" -}}
{{ .text }} (dask-operator {{ .root.Chart.AppVersion }})
{{- end }}

{{/*
Rules for metadata.name, from a dict of `kind`, `max` and `why` (the reason for the length). They stand at the
root beside "dask-operator.crd.name", which lets their answer point at the field. They hold at creation only: an
object from before the rules existed could not be edited otherwise, not even its status.
*/}}
{{- define "dask-operator.crd.nameRules" -}}
- rule: oldSelf.hasValue() || size(self.metadata.name) <= {{ .max }}
  optionalOldSelf: true
  fieldPath: .metadata.name
  message: "the name of a {{ .kind }} has at most {{ .max }} characters, {{ .why }}: choose a shorter one"
- rule: oldSelf.hasValue() || self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')
  optionalOldSelf: true
  fieldPath: .metadata.name
  message: "the name of a {{ .kind }} starts with a letter, ends with a letter or digit, and has only lower case letters, digits and '-' between (no dots): choose such a name"
{{- end }}

{{/*
Declares metadata.name, and adds nothing to what holds for it anyway.
*/}}
{{- define "dask-operator.crd.name" -}}
type: object
properties:
  name:
    type: string
{{- end }}

{{/*
Metadata the operator gives to what it makes, from a dict of `of`.
*/}}
{{- define "dask-operator.crd.objectMetadata" -}}
type: object
nullable: true
description: Labels and annotations of the {{ .of }}, on top of those handed down from this object.
properties:
  annotations:
    type: object
    nullable: true
    description: Annotations of the {{ .of }}.
    additionalProperties:
      type: string
  labels:
    type: object
    nullable: true
    description: Labels of the {{ .of }}.
    additionalProperties:
      type: string
{{- end }}

{{/*
A PodSpec of any Kubernetes version: the API server judges it when the Pod is made.
*/}}
{{- define "dask-operator.crd.containers" -}}
type: array
nullable: true
description: Containers of the Pod, in the form of a PodSpec's.
items:
  type: object
  x-kubernetes-preserve-unknown-fields: true
{{- end }}

{{- define "dask-operator.crd.podSpec" -}}
type: object
nullable: true
description: >-
  PodSpec of the {{ .of }}, whole or in part: any field of any Kubernetes version. The container named
  {{ .container }}, or else the first one, runs Dask. What it leaves open (image, command, ports, probes) is filled in.
x-kubernetes-preserve-unknown-fields: true
properties:
  containers:
    {{- include "dask-operator.crd.containers" . | nindent 4 }}
{{- end }}

{{- define "dask-operator.crd.resources" -}}
type: object
nullable: true
description: Resource requests and limits of the Dask container, where its template has none.
x-kubernetes-preserve-unknown-fields: true
{{- end }}

{{- define "dask-operator.crd.env" -}}
type: array
nullable: true
description: Environment variables of the Dask container, beside those of its template. The template's win.
items:
  type: object
  required: [name]
  properties:
    name:
      type: string
      minLength: 1
      description: Name of the variable.
    value:
      type: string
      nullable: true
      description: Value of the variable.
    valueFrom:
      type: object
      nullable: true
      description: Where the value comes from, in the form of a container's env.
      x-kubernetes-preserve-unknown-fields: true
{{- end }}

{{/*
What the workers of a group are like.
*/}}
{{- define "dask-operator.crd.worker" -}}
type: object
default: {}
description: The workers of the group.
properties:
  cluster:
    type: string
    nullable: true
    description: Accepted for manifests that name the cluster here, and ignored.
  replicas:
    type: integer
    format: int32
    minimum: 0
    default: 1
    description: Number of worker Pods. A smaller number retires workers without losing finished results.
  drainTimeoutSeconds:
    type: integer
    format: int32
    minimum: 0
    default: 600
    description: >-
      Seconds a worker has to hand over its results when you scale down and the scheduler cannot let it go. After
      that it is stopped, and its results are lost. 0 does not wait.
  image:
    type: string
    nullable: true
    description: Image of the workers whose template names none. The default is the cluster's.
  metadata:
    {{- include "dask-operator.crd.objectMetadata" (dict "of" "worker Pods") | nindent 4 }}
  spec:
    {{- include "dask-operator.crd.podSpec" (dict "of" "worker Pods" "container" "worker") | nindent 4 }}
  resources:
    {{- include "dask-operator.crd.resources" . | nindent 4 }}
  env:
    {{- include "dask-operator.crd.env" . | nindent 4 }}
{{- end }}

{{- define "dask-operator.crd.scheduler" -}}
type: object
default: {}
description: The scheduler of the cluster.
properties:
  metadata:
    {{- include "dask-operator.crd.objectMetadata" (dict "of" "scheduler Pod and Service") | nindent 4 }}
  spec:
    {{- include "dask-operator.crd.podSpec" (dict "of" "scheduler Pod" "container" "scheduler") | nindent 4 }}
  service:
    type: object
    nullable: true
    description: >-
      ServiceSpec of the Service in front of the scheduler, whole or in part: any field of any Kubernetes version.
      Ports, selector and type are filled in where it leaves them open.
    x-kubernetes-preserve-unknown-fields: true
  disruptionBudget:
    type: boolean
    nullable: true
    description: >-
      Whether a PodDisruptionBudget keeps the scheduler from being evicted: draining its node then waits until the
      cluster is deleted. The default is the install's.
  resources:
    {{- include "dask-operator.crd.resources" . | nindent 4 }}
  env:
    {{- include "dask-operator.crd.env" . | nindent 4 }}
{{- end }}

{{/*
What a cluster is: the spec of a DaskCluster, and of the one a DaskJob makes.
*/}}
{{- define "dask-operator.crd.clusterSpec" -}}
type: object
description: The wanted cluster. An empty one is valid, and gives a scheduler and one worker.
properties:
  image:
    type: string
    nullable: true
    description: >-
      Image of the scheduler and the workers whose templates name none. The default is the operator's at the time
      the cluster is created; status.image has it.
  idleTimeout:
    type: integer
    format: int32
    minimum: 0
    default: {{ int64 .Values.dask.idleTimeout }}
    description: Seconds without work after which the cluster is deleted. 0 keeps it.
  scheduler:
    {{- include "dask-operator.crd.scheduler" . | nindent 4 }}
  worker:
    {{- include "dask-operator.crd.worker" . | nindent 4 }}
  workerGroups:
    type: array
    nullable: true
    maxItems: 50
    description: >-
      Worker groups beside the default one. They are made, edited and deleted with this list; their numbers of workers
      can be changed on themselves too, as that of the default group.
    x-kubernetes-list-type: map
    x-kubernetes-list-map-keys: [name]
    items:
      type: object
      required: [name]
      properties:
        name:
          type: string
          minLength: 1
          maxLength: 61
          pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'
          description: Name of the group within its cluster. The DaskWorkerGroup is called <cluster>-<name>.
          x-kubernetes-validations:
            - rule: self != 'default'
              message: the default group is spec.worker; choose another name
        worker:
          {{- include "dask-operator.crd.worker" . | nindent 10 }}
  autoscaler:
    type: object
    nullable: true
    description: >-
      An autoscaler for the cluster: a DaskAutoscaler of its name is made, edited and deleted with this.
    required: [minimum, maximum]
    x-kubernetes-validations:
      - rule: self.minimum <= self.maximum
        message: minimum is greater than maximum; lower minimum or raise maximum
    properties:
      {{- include "dask-operator.crd.autoscalerFields" . | nindent 6 }}
{{- end }}

{{/*
How a cluster is scaled: the fields of a DaskAutoscaler's spec beside the name of its cluster.
*/}}
{{- define "dask-operator.crd.autoscalerFields" -}}
minimum:
  type: integer
  format: int32
  minimum: 0
  description: The fewest workers the cluster is given.
maximum:
  type: integer
  format: int32
  minimum: 0
  description: The most workers the cluster is given.
workerGroup:
  type: string
  description: Name of the DaskWorkerGroup that is scaled. The default is the cluster's default group.
behavior:
  type: object
  description: How fast the number of workers may change, as a HorizontalPodAutoscaler has it.
  properties:
    scaleUp:
      {{- include "dask-operator.crd.scalingRules" "more" | nindent 6 }}
    scaleDown:
      {{- include "dask-operator.crd.scalingRules" "fewer" | nindent 6 }}
interval:
  type: integer
  format: int32
  minimum: 1
  maximum: 3600
  default: 5
  description: Seconds between two questions to the scheduler.
targetDuration:
  type: integer
  format: int32
  minimum: 5
  maximum: 86400
  default: 5
  description: Seconds in which the work at hand should be done.
suspend:
  type: boolean
  default: false
  description: Whether to leave the number of workers as it is.
dryRun:
  type: boolean
  default: false
  description: Whether to decide, and to write the decision into the status only.
{{- end }}

{{/*
A rule for the root of a kind, from a dict of `at` (where the spec of the cluster is): the names of its groups fit.
*/}}
{{- define "dask-operator.crd.groupNamesRule" -}}
- rule: "!has({{ .at }}.workerGroups) || {{ .at }}.workerGroups.all(g, size(self.metadata.name) + size(g.name) <= 62)"
  message: "the name of a worker group is <cluster>-<name>, and has at most 63 characters: choose a shorter one in workerGroups"
{{- end }}

{{/*
How the number of workers may change in one direction; a string, "more" or "fewer", says which.
*/}}
{{- define "dask-operator.crd.scalingRules" -}}
type: object
description: When there are to be {{ . }} workers.
properties:
  stabilizationWindowSeconds:
    type: integer
    format: int32
    minimum: 0
    maximum: 3600
    description: Seconds for which {{ . }} must have been wanted.
  selectPolicy:
    type: string
    enum: [Max, Min, Disabled]
    description: Which of several policies holds, or that the number never changes this way.
  tolerance:
    x-kubernetes-int-or-string: true
    description: A change by at most this fraction of the workers is not made.
  policies:
    type: array
    maxItems: 16
    description: What is allowed at a time. Without any, a change of any size is.
    items:
      type: object
      required: [type, value, periodSeconds]
      properties:
        type:
          type: string
          enum: [Pods, Percent]
          description: What value counts.
        value:
          type: integer
          format: int32
          minimum: 1
          description: How many workers, or per cent of them, at most.
        periodSeconds:
          type: integer
          format: int32
          minimum: 1
          maximum: 1800
          description: In how many seconds.
{{- end }}
