{{/* Refuses values that are valid one by one and contradict each other. */}}
{{- define "siglip-hd.checks" -}}
{{- include "siglip-hd.checkModels" . }}
{{- include "siglip-hd.checkEngine" . }}
{{- include "siglip-hd.checkLabels" . }}
{{- include "siglip-hd.checkVariables" . }}
{{- if hasKey .Values.config "metrics-port" }}
{{- $metricsPort := index .Values.config "metrics-port" | int }}
{{- if has $metricsPort (list 0 8080 50051) }}
{{- fail (printf "config.metrics-port is %d; in the pods HTTP has 8080 and gRPC 50051, and 0 is any: give it one of its own, such as 9464." $metricsPort) }}
{{- end }}
{{- end }}
{{- if not (or .Values.serviceMonitor.enabled .Values.serviceMonitor.job) }}
{{- $asks := list }}
{{- if .Values.prometheusRule.enabled }}{{ $asks = append $asks "prometheusRule" }}{{ end }}
{{- if eq .Values.autoscaling.kind "keda" }}{{ $asks = append $asks "autoscaling.kind=keda" }}{{ end }}
{{- if and (eq .Values.engine.mode "remote") (eq .Values.engine.autoscaling.kind "keda") }}{{ $asks = append $asks "engine.autoscaling.kind=keda" }}{{ end }}
{{- range $asks }}
{{- fail (printf "%s queries Prometheus for this release's metrics: set serviceMonitor.enabled to have them collected, or serviceMonitor.job to the job that collects them." .) }}
{{- end }}
{{- end }}
{{- if and .Values.tls.clientCaSecret (not .Values.tls.secret) }}
{{- fail "tls.clientCaSecret needs tls.secret." }}
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

{{- define "siglip-hd.checkModels" -}}
{{- $models := .Values.models }}
{{- $names := list }}
{{- $folders := list }}
{{- range $models.serve }}
{{- if has .name $names }}{{ fail (printf "models.serve has two models named %q." .name) }}{{ end }}
{{- $names = append $names .name }}
{{- $folder := default .name .folder }}
{{- if and .import (has $folder $folders) }}
{{- fail (printf "models.serve imports two models into the folder %q." $folder) }}
{{- end }}
{{- $folders = append $folders $folder }}
{{- if and (eq $models.from "import") (not .import) }}
{{- fail (printf "models.from is import, so models.serve's %q needs import: {source: OWNER/NAME}." .name) }}
{{- end }}
{{- if and (eq $.Values.device "cuda") .import (eq (toString (get (default dict .import) "precision")) "int8") }}
{{- fail (printf "models.serve's %q is int8, which is for CPUs, but device is cuda; use fp16." .name) }}
{{- end }}
{{- if and .import (not (has $models.from (list "import" "pvc"))) }}
{{- fail (printf "models.serve's %q has import, but models.from is %s; only import and pvc import." .name $models.from) }}
{{- end }}
{{- end }}
{{- if and (eq $models.from "embedded") $names }}
{{- fail "models.serve names models, but models.from is embedded; set it to pvc, image or import." }}
{{- end }}
{{- if and (ne $models.from "embedded") (not $names) }}
{{- fail (printf "models.from is %s; models.serve must name a model." $models.from) }}
{{- end }}
{{- if and $models.teacher (not (has $models.teacher $names)) }}
{{- fail (printf "models.teacher is %q; models.serve has %s." $models.teacher (default "none" (join ", " $names))) }}
{{- end }}
{{- if and (eq $models.from "pvc") (not $models.pvc.claimName) }}
{{- fail "models.from is pvc; models.pvc.claimName must name the claim." }}
{{- end }}
{{- if and (eq $models.from "image") (not $models.image.reference) }}
{{- fail "models.from is image; models.image.reference must name the image." }}
{{- end }}
{{- end }}

{{- define "siglip-hd.checkEngine" -}}
{{- $engine := .Values.engine }}
{{- if eq $engine.mode "remote" }}
{{- if not (has .Values.models.from (list "pvc" "image")) }}
{{- fail (printf "engine.mode is remote and models.from is %s: both kinds of pods need the model folders, so set it to pvc or image." .Values.models.from) }}
{{- end }}
{{- if ne .Values.device "cpu" }}
{{- fail (printf "engine.mode is remote, so the service's pods run no models: leave device at cpu, not %s." .Values.device) }}
{{- end }}
{{- if and (ne $engine.autoscaling.kind "none") (gt (int $engine.autoscaling.min) (int $engine.autoscaling.max)) }}
{{- fail (printf "engine.autoscaling.min is %d, above engine.autoscaling.max, which is %d." (int $engine.autoscaling.min) (int $engine.autoscaling.max)) }}
{{- end }}
{{- if and $engine.gpu (eq $engine.autoscaling.kind "none") (lt (int $engine.replicas) 1) }}
{{- fail "engine.replicas is 0: the service needs an engine." }}
{{- end }}
{{- end }}
{{- end }}

{{- define "siglip-hd.checkLabels" -}}
{{- $set := list "helm.sh/chart" "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "app.kubernetes.io/component" }}
{{- range $which, $labels := dict "commonLabels" .Values.commonLabels "podLabels" .Values.podLabels }}
{{- range $label, $_ := $labels }}
{{- if has $label $set }}
{{- fail (printf "%s has %s, which the chart sets itself: its objects find each other by it." $which $label) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Refuses a variable that a container would have twice, or that a flag or another value overrides. */}}
{{- define "siglip-hd.checkVariables" -}}
{{- $owners := dict "SIGLIPHD_DEVICE" "device" "SIGLIPHD_HTTP_PORT" "the chart (8080)" "SIGLIPHD_GRPC_PORT" "the chart (50051)" }}
{{- range $name := list "metrics-port" "drain-delay-ms" "drain-grace-ms" }}
{{- $_ := set $owners (printf "SIGLIPHD_%s" ($name | upper | replace "-" "_")) (printf "config.%s" $name) }}
{{- end }}
{{- range $name := list "TLS_CERT" "TLS_KEY" "TLS_CLIENT_CA" }}
{{- $_ := set $owners (printf "SIGLIPHD_%s" $name) "tls" }}
{{- end }}
{{- range $name, $_ := .Values.config }}
{{- $_ := set $owners (printf "SIGLIPHD_%s" ($name | upper | replace "-" "_")) (printf "config.%s" $name) }}
{{- end }}
{{- if .Values.models.serve }}{{ $_ := set $owners "SIGLIPHD_MODEL" "models.serve" }}{{ end }}
{{- if eq .Values.engine.mode "remote" }}{{ $_ := set $owners "SIGLIPHD_REMOTE_ENGINE" "engine.mode" }}{{ end }}
{{- if .Values.models.teacher }}{{ $_ := set $owners "SIGLIPHD_TEACHER" "models.teacher" }}{{ end }}
{{- if .Values.redis.secret }}{{ $_ := set $owners "SIGLIPHD_REDIS_URL" "redis.secret" }}{{ end }}
{{- if .Values.apiKeys.secret }}
{{- $_ := set $owners "SIGLIPHD_API_KEYS_FILE" "apiKeys.secret" }}
{{- $_ := set $owners "SIGLIPHD_API_KEYS" "apiKeys.secret" }}
{{- end }}
{{- if .Values.tracing.endpoint }}
{{- range $name := list "POD_NAME" "OTEL_RESOURCE_ATTRIBUTES" "OTEL_EXPORTER_OTLP_ENDPOINT" "OTEL_EXPORTER_OTLP_PROTOCOL" "OTEL_TRACES_SAMPLER" "OTEL_TRACES_SAMPLER_ARG" }}
{{- $_ := set $owners $name "tracing" }}
{{- end }}
{{- end }}
{{- include "siglip-hd.checkNames" (dict "which" "extraEnv" "variables" .Values.extraEnv "owners" $owners) }}
{{- $importOwners := dict "HF_HOME" "the chart" }}
{{- if .Values.models.import.tokenSecret }}{{ $_ := set $importOwners "HF_TOKEN" "models.import.tokenSecret" }}{{ end }}
{{- include "siglip-hd.checkNames" (dict "which" "models.import.extraEnv" "variables" .Values.models.import.extraEnv "owners" $importOwners) }}
{{- end }}

{{- define "siglip-hd.checkNames" -}}
{{- $seen := list }}
{{- range .variables }}
{{- if has .name $seen }}{{ fail (printf "%s has %s twice." $.which .name) }}{{ end }}
{{- $seen = append $seen .name }}
{{- if hasKey $.owners .name }}
{{- fail (printf "%s has %s, which %s sets: give it one value, there." $.which .name (get $.owners .name)) }}
{{- end }}
{{- end }}
{{- end }}
