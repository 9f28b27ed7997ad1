{{- define "siglip-hd.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{/* At most 52 characters, so that -headless, -grpc and -test still fit. */}}
{{- define "siglip-hd.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "siglip-hd.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "siglip-hd.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* The labels of one thing that the chart makes. */}}
{{- define "siglip-hd.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ include "siglip-hd.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "siglip-hd.labels" -}}
{{ include "siglip-hd.commonLabels" . }}
app.kubernetes.io/component: service
{{- end }}

{{/* What tells the service's pods from all others, those of the test included. */}}
{{- define "siglip-hd.selector" -}}
app.kubernetes.io/name: {{ include "siglip-hd.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: service
{{- end }}

{{- define "siglip-hd.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "siglip-hd.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "siglip-hd.image" -}}
{{- $image := .Values.image }}
{{- if $image.digest }}
{{- printf "%s@%s" $image.repository $image.digest }}
{{- else }}
{{- $suffix := eq .Values.device "cuda" | ternary "-cuda" "" }}
{{- printf "%s:%s" $image.repository (default (printf "%s%s" .Chart.AppVersion $suffix) $image.tag) }}
{{- end }}
{{- end }}

{{/* A setting's value as its variable has it: numbers without an exponent. */}}
{{- define "siglip-hd.text" -}}
{{- if kindIs "float64" . }}{{ printf "%.0f" . }}{{ else }}{{ toString . }}{{ end }}
{{- end }}

{{/* The service's settings, as YAML. Where clients need certificates probes and Prometheus get a port that asks for none. */}}
{{- define "siglip-hd.config" -}}
{{- $config := deepCopy .Values.config }}
{{- if and .Values.tls.clientCaSecret (not (hasKey $config "metrics-port")) }}
{{- $_ := set $config "metrics-port" 9464 }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{/* Where /metrics is: a port of its own where the service is given one, HTTP's otherwise. */}}
{{- define "siglip-hd.metricsPort" -}}
{{- if hasKey (include "siglip-hd.config" . | fromYaml) "metrics-port" }}metrics{{ else }}http{{ end }}
{{- end }}

{{/* The port of the collector of traces, from its address. */}}
{{- define "siglip-hd.tracingPort" -}}
{{- $url := urlParse .Values.tracing.endpoint }}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" }}
{{- default (eq $url.scheme "https" | ternary "443" "80") $port }}
{{- end }}

{{/* Seconds from SIGTERM to SIGKILL: the drain's two parts, and 10 to end. */}}
{{- define "siglip-hd.graceSeconds" -}}
{{- $delayMs := int64 5000 }}
{{- if hasKey .Values.config "drain-delay-ms" }}{{ $delayMs = index .Values.config "drain-delay-ms" | int64 }}{{ end }}
{{- $graceMs := int64 20000 }}
{{- if hasKey .Values.config "drain-grace-ms" }}{{ $graceMs = index .Values.config "drain-grace-ms" | int64 }}{{ end }}
{{- $needed := add (div (add $delayMs $graceMs 999) 1000) 10 }}
{{- $given := int64 .Values.terminationGracePeriodSeconds }}
{{- if and $given (lt $given $needed) }}
{{- fail (printf "terminationGracePeriodSeconds is %d; the drain that config asks for needs %d, or 0 to have it follow." $given $needed) }}
{{- end }}
{{- default $needed $given }}
{{- end }}

{{/* Where the service is for those in the cluster. */}}
{{- define "siglip-hd.address" -}}
{{- printf "%s.%s.svc" (include "siglip-hd.fullname" .) .Release.Namespace }}
{{- end }}

{{/* What a probe asks: where clients need certificates, of which it has none, on the port of metrics. */}}
{{- define "siglip-hd.probe" -}}
httpGet:
  path: {{ .path | quote }}
  {{- if .root.Values.tls.clientCaSecret }}
  port: metrics
  {{- else }}
  port: http
  {{- if .root.Values.tls.secret }}
  scheme: HTTPS
  {{- end }}
  {{- end }}
{{ toYaml .timing }}
{{- end }}

{{/* The metrics' labels of this release's pods. */}}
{{- define "siglip-hd.series" -}}
namespace={{ .Release.Namespace | quote }},job={{ include "siglip-hd.job" . | quote }}
{{- end }}

{{- define "siglip-hd.job" -}}
{{- default (include "siglip-hd.fullname" .) .Values.serviceMonitor.job }}
{{- end }}

{{/* Whether a Job fills the claim: not empty where a model of the claim says what to import. */}}
{{- define "siglip-hd.fills" -}}
{{- if eq .Values.models.from "pvc" }}
{{- range .Values.models.serve }}{{ if .import }}true{{ end }}{{ end }}
{{- end }}
{{- end }}

{{/*
A container that imports one model into /models, unless its folder is there: a folder with model.json is complete. What an
import that was killed left beside it goes first, so that retries do not fill the volume.
*/}}
{{- define "siglip-hd.import" -}}
{{- $import := .root.Values.models.import }}
{{- $folder := printf "/models/%s" (default .model.name .model.folder) }}
- name: {{ printf "import-%d-%s" .index (.model.name | lower | replace "." "-" | replace "_" "-") | trunc 63 | trimSuffix "-" | quote }}
  image: {{ include "siglip-hd.image" .root | quote }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command:
    - sh
    - -ec
    - test -f "$0/model.json" || { rm -rf "$0".tmp-*; exec node bin/siglip-hd.cjs "$@"; }
    - {{ $folder }}
  args:
    - import
    - {{ .model.import.source | quote }}
    - --out
    - {{ $folder }}
    {{- range $flag, $value := omit .model.import "source" }}
    - --{{ $flag }}
    - {{ toString $value | quote }}
    {{- end }}
  env:
    - name: HF_HOME
      value: {{ .hub }}
    {{- with $import.tokenSecret }}
    - name: HF_TOKEN
      valueFrom:
        secretKeyRef:
          name: {{ . | quote }}
          key: {{ $import.tokenKey | quote }}
    {{- end }}
    {{- with $import.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  resources:
    {{- toYaml $import.resources | nindent 4 }}
  securityContext:
    {{- toYaml .root.Values.securityContext | nindent 4 }}
  volumeMounts:
    - name: models
      mountPath: /models
      {{- if and (eq .root.Values.models.from "pvc") .root.Values.models.pvc.subPath }}
      subPath: {{ .root.Values.models.pvc.subPath | quote }}
      {{- end }}
    {{- if eq .root.Values.models.from "pvc" }}
    - name: hub
      mountPath: {{ .hub }}
    {{- end }}
    - name: tmp
      mountPath: /tmp
{{- end }}

{{/* A container that waits until the Job has filled the claim. */}}
{{- define "siglip-hd.awaitModels" -}}
- name: await-models
  image: {{ include "siglip-hd.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command:
    - sh
    - -ec
    - for folder; do until test -f "$folder/model.json"; do echo "waiting for $folder"; sleep 5; done; done
    - sh
  args:
    {{- range .Values.models.serve }}
    - {{ printf "/models/%s" (default .name .folder) }}
    {{- end }}
  resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 64Mi}}
  securityContext:
    {{- toYaml .Values.securityContext | nindent 4 }}
  volumeMounts:
    - name: models
      mountPath: /models
      readOnly: true
      {{- with .Values.models.pvc.subPath }}
      subPath: {{ . | quote }}
      {{- end }}
{{- end }}

{{/* The spec of the Job's pod. The Job is named by its hash: what a Job runs cannot be changed. */}}
{{- define "siglip-hd.importPod" -}}
restartPolicy: OnFailure
serviceAccountName: {{ include "siglip-hd.serviceAccount" . | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
initContainers:
  {{- range $index, $_ := .Values.models.serve }}
  {{- if .import }}
  {{- include "siglip-hd.import" (dict "root" $ "index" $index "model" . "hub" "/hub") | trim | nindent 2 }}
  {{- end }}
  {{- end }}
containers:
  # The imports run one after the other, and a pod needs one container more.
  - name: done
    image: {{ include "siglip-hd.image" . | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args: [--version]
    resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {memory: 256Mi}}
    securityContext:
      {{- toYaml .Values.securityContext | nindent 6 }}
volumes:
  - name: models
    persistentVolumeClaim:
      claimName: {{ .Values.models.pvc.claimName | quote }}
  - name: hub
    emptyDir:
      sizeLimit: {{ .Values.models.import.size }}
  - name: tmp
    emptyDir:
      sizeLimit: {{ .Values.tmpSize }}
{{- end }}

{{- /* The value of --device: every GPU of the pod, or the CPU. */}}
{{- define "siglip-hd.devices" -}}
{{- if eq .Values.device "cpu" }}cpu{{ else }}
{{- range $id := until (int .Values.gpu.count) }}{{ if $id }},{{ end }}cuda:{{ $id }}{{ end }}
{{- end }}
{{- end }}

{{/* The engines of mode remote. */}}
{{- define "siglip-hd.engineName" -}}
{{- printf "%s-engine" (include "siglip-hd.fullname" .) }}
{{- end }}

{{- define "siglip-hd.engineLabels" -}}
{{ include "siglip-hd.commonLabels" . }}
app.kubernetes.io/component: engine
{{- end }}

{{- define "siglip-hd.engineSelector" -}}
app.kubernetes.io/name: {{ include "siglip-hd.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: engine
{{- end }}

{{/* The most engines that there can be. */}}
{{- define "siglip-hd.engineCount" -}}
{{- eq .Values.engine.autoscaling.kind "none" | ternary .Values.engine.replicas .Values.engine.autoscaling.max }}
{{- end }}
