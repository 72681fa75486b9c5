{{/*
The operator's environment.
*/}}
{{- define "dask-operator.operator.env" -}}
{{- $env := list
  (dict "name" "POD_NAME" "valueFrom" (dict "fieldRef" (dict "fieldPath" "metadata.name")))
  (dict "name" "POD_UID" "valueFrom" (dict "fieldRef" (dict "fieldPath" "metadata.uid")))
  (dict "name" "POD_NAMESPACE" "valueFrom" (dict "fieldRef" (dict "fieldPath" "metadata.namespace")))
  (dict "name" "DASK_OPERATOR_RELEASE" "value" (include "dask-operator.fullname" .))
  (dict "name" "DASK_OPERATOR_WATCH_NAMESPACES" "value" (join "," .Values.watchNamespaces))
  (dict "name" "DASK_OPERATOR_HTTP_PORT" "value" (include "dask-operator.operator.port" .))
  (dict "name" "DASK_OPERATOR_LOG_LEVEL" "value" .Values.operator.logLevel)
  (dict "name" "DASK_OPERATOR_LOG_FORMAT" "value" .Values.operator.logFormat)
  (dict "name" "DASK_OPERATOR_DEFAULT_IMAGE" "value" (include "dask-operator.daskImage" .))
  (dict "name" "DASK_OPERATOR_AUTOSCALING" "value" (.Values.autoscaler.enabled | toString))
  (dict "name" "DASK_OPERATOR_DEFAULT_PULL_SECRETS" "value" (include "dask-operator.daskPullSecrets" .))
  (dict "name" "DASK_OPERATOR_DISRUPTION_BUDGET" "value" (.Values.dask.scheduler.disruptionBudget | toString))
  (dict "name" "DASK_OPERATOR_PLUGINS_MUST_LOAD" "value" (.Values.operator.plugins.mustLoad | toString))
  (dict "name" "DASK_OPERATOR_PLUGINS_UNLABELLED" "value" (join "," .Values.operator.plugins.unlabelled))
  (dict "name" "DASK_OPERATOR_RESYNC_SECONDS" "value" (.Values.operator.resyncSeconds | int64 | toString))
}}
{{- /* The program's own default where an older release's values are reused, which do not have the key. */}}
{{- range $key, $variable := dict
  "concurrency" "CONCURRENCY"
  "concurrencyPerCluster" "CONCURRENCY_PER_CLUSTER"
  "parallelCreates" "PARALLEL_CREATES"
  "callsPerSecond" "CALLS_PER_SECOND"
  "connections" "CONNECTIONS"
  "schedulerConnections" "SCHEDULER_CONNECTIONS"
}}
{{- if hasKey $.Values.operator $key }}
{{- $value := get $.Values.operator $key | int64 | toString }}
{{- $env = append $env (dict "name" (printf "DASK_OPERATOR_%s" $variable) "value" $value) }}
{{- end }}
{{- end }}
{{- toYaml $env }}
{{- end }}

{{/*
Port of the operator's health endpoints.
*/}}
{{- define "dask-operator.operator.port" -}}
8080
{{- end }}
