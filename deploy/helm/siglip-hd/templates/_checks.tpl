{{/* Values that are fine one by one and contradict each other. */}}
{{- define "siglip-hd.checks" -}}
{{- $models := .Values.models }}
{{- $names := list }}
{{- $folders := list }}
{{- range $models.serve }}
{{- if has .name $names }}{{ fail (printf "models.serve has two models named %q." .name) }}{{ end }}
{{- $names = append $names .name }}
{{- $folder := default .name .folder }}
{{- if and (eq $models.from "import") (has $folder $folders) }}
{{- fail (printf "models.serve has two models that are imported into the folder %q: the second would take the first's place." $folder) }}
{{- end }}
{{- $folders = append $folders $folder }}
{{- if and (eq $models.from "import") (not .import) }}
{{- fail (printf "models.from is import, so that models.serve's %q needs import: {source: OWNER/NAME}." .name) }}
{{- end }}
{{- if and (eq $.Values.device "cuda") .import (eq (toString (get (default dict .import) "precision")) "int8") }}
{{- fail (printf "models.serve's %q is int8, which is for CPUs, and device is cuda; fp16 is for those." .name) }}
{{- end }}
{{- if and (ne $models.from "import") .import }}
{{- fail (printf "models.serve's %q has import, but models.from is %s." .name $models.from) }}
{{- end }}
{{- end }}
{{- if and (eq $models.from "embedded") $names }}
{{- fail "models.serve names models, but models.from is embedded; say where they come from: pvc, image or import." }}
{{- end }}
{{- if and (ne $models.from "embedded") (not $names) }}
{{- fail (printf "models.from is %s; models.serve must name a model." $models.from) }}
{{- end }}
{{- if and $models.teacher (not (has $models.teacher $names)) }}
{{- fail (printf "models.teacher is %q; models.serve has %s." $models.teacher (default "none" (join ", " $names))) }}
{{- end }}
{{- if and (eq $models.from "pvc") (not $models.pvc.claimName) }}
{{- fail "models.from is pvc; models.pvc.claimName must say which." }}
{{- end }}
{{- if and (eq $models.from "image") (not $models.image.reference) }}
{{- fail "models.from is image; models.image.reference must say which." }}
{{- end }}
{{- if hasKey .Values.config "metrics-port" }}
{{- $metricsPort := index .Values.config "metrics-port" | int }}
{{- if has $metricsPort (list 0 8080 50051) }}
{{- fail (printf "config.metrics-port is %d; in the pods HTTP has 8080 and gRPC 50051, and 0 is any: give it one of its own, such as 9464." $metricsPort) }}
{{- end }}
{{- end }}
{{- $set := list "helm.sh/chart" "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "app.kubernetes.io/component" }}
{{- range $which, $labels := dict "commonLabels" .Values.commonLabels "podLabels" .Values.podLabels }}
{{- range $label, $_ := $labels }}
{{- if has $label $set }}
{{- fail (printf "%s has %s, which the chart sets itself: its objects find each other by it." $which $label) }}
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.tracing.endpoint }}
{{- range .Values.extraEnv }}
{{- if has .name (list "POD_NAME" "OTEL_RESOURCE_ATTRIBUTES" "OTEL_EXPORTER_OTLP_ENDPOINT" "OTEL_EXPORTER_OTLP_PROTOCOL" "OTEL_TRACES_SAMPLER" "OTEL_TRACES_SAMPLER_ARG") }}
{{- fail (printf "extraEnv has %s, which tracing sets: a name twice is one of the two, and nobody knows which." .name) }}
{{- end }}
{{- end }}
{{- end }}
{{- if not (or .Values.serviceMonitor.enabled .Values.serviceMonitor.job) }}
{{- $asks := list }}
{{- if .Values.prometheusRule.enabled }}{{ $asks = append $asks "prometheusRule" }}{{ end }}
{{- if eq .Values.autoscaling.kind "keda" }}{{ $asks = append $asks "autoscaling.kind=keda" }}{{ end }}
{{- range $asks }}
{{- fail (printf "%s asks Prometheus for this release's metrics: serviceMonitor.enabled has them collected; where something else does, serviceMonitor.job is its job's name." .) }}
{{- end }}
{{- end }}
{{- if and .Values.tls.clientCaSecret (not .Values.tls.secret) }}
{{- fail "tls.clientCaSecret is for TLS; it needs tls.secret." }}
{{- end }}
{{- if and (ne .Values.autoscaling.kind "none") (gt (int .Values.autoscaling.min) (int .Values.autoscaling.max)) }}
{{- fail (printf "autoscaling.min is %d, above autoscaling.max, which is %d." (int .Values.autoscaling.min) (int .Values.autoscaling.max)) }}
{{- end }}
{{- if and .Values.gateway.backendTls.hostname (not .Values.tls.secret) }}
{{- fail "gateway.backendTls is for pods that speak TLS; it needs tls.secret." }}
{{- end }}
{{- range $kind, $route := omit .Values.gateway "backendTls" }}
{{- if and $route.enabled (not $route.parentRefs) }}
{{- fail (printf "gateway.%s.enabled needs gateway.%s.parentRefs: a route without a gateway routes nothing." $kind $kind) }}
{{- end }}
{{- end }}
{{- end }}
