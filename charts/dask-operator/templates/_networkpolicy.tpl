{{/*
A fence around a component, from the same dict as in _component.tpl. A kubelet's probes pass every fence.
*/}}
{{- define "dask-operator.component.networkPolicy" -}}
{{- $values := (index .root.Values .component).networkPolicy -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "dask-operator.component.metadata" . | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "dask-operator.component.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - ports:
        - port: http
          protocol: TCP
        {{- if and (eq .component "operator") (include "dask-operator.autoscaler.beside" .root) }}
        - port: autoscaler
          protocol: TCP
        {{- end }}
      {{- with $values.ingressFrom }}
      from:
        {{- toYaml . | nindent 8 }}
      {{- end }}
  egress:
    - ports:
        - port: 53
          protocol: UDP
        - port: 53
          protocol: TCP
    # The API server has no labels to be known by.
    - ports:
        {{- range $values.apiServerPorts }}
        - port: {{ . }}
          protocol: TCP
        {{- end }}
    # Schedulers, on whatever port their dashboard is.
    - to:
        - namespaceSelector:
            {{- if .root.Values.watchNamespaces }}
            matchExpressions:
              - key: kubernetes.io/metadata.name
                operator: In
                values:
                  {{- toYaml .root.Values.watchNamespaces | nindent 18 }}
            {{- else }} {}
            {{- end }}
          podSelector:
            matchLabels:
              dask.org/component: scheduler
    {{- with $values.extraEgress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
