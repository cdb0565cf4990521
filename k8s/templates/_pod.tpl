{{/*
The parts that the pods of all services share. Each takes (dict "root" $ "component" "worker" "port" 8082 ...).
*/}}

{{/* Pod annotations: configuration changes roll the pods. */}}
{{- define "orchestrator.podAnnotations" -}}
checksum/settings: {{ include (print .root.Template.BasePath "/configmap.yaml") .root | sha256sum }}
{{- if .root.Values.secrets.create }}
checksum/secrets: {{ toJson .root.Values.secrets.values | sha256sum }}
{{- end }}
{{- if .root.Values.metrics.annotations }}
prometheus.io/scrape: "true"
prometheus.io/port: {{ .port | quote }}
prometheus.io/path: /metrics
{{- end }}
{{- with .root.Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Pod settings above the containers: identity, restricted security, placement. */}}
{{- define "orchestrator.podSettings" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile:
    type: RuntimeDefault
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* For services: the account, the grace period, replicas on different nodes where possible. */}}
{{- define "orchestrator.servicePodSettings" -}}
{{- $shutdown := .root.Values.shutdown -}}
{{ include "orchestrator.podSettings" . }}
serviceAccountName: {{ include "orchestrator.fullname" .root }}
terminationGracePeriodSeconds: {{ add (int $shutdown.drainDelaySeconds) (int $shutdown.graceSeconds) 5 }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "orchestrator.selectorLabels" . | nindent 8 }}
{{- end -}}

{{/* What restricts a container. */}}
{{- define "orchestrator.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{/* For services: image, port, probes, settings, and the variables that all of them read. Ends in the env list. */}}
{{- define "orchestrator.serviceContainer" -}}
name: {{ .component }}
image: {{ include "orchestrator.image" . }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
{{ include "orchestrator.containerSecurity" . }}
ports:
  - name: http
    containerPort: {{ .port }}
startupProbe:
  httpGet: {path: /health, port: http}
  periodSeconds: 2
  failureThreshold: 30
livenessProbe:
  httpGet: {path: /health, port: http}
  periodSeconds: 10
  timeoutSeconds: 3
readinessProbe:
  httpGet: {path: /ready, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
envFrom:
  - configMapRef:
      name: {{ include "orchestrator.fullname" .root }}
env:
  - name: ORCH_PORT
    value: {{ .port | quote }}
  - name: ORCH_DRAIN_DELAY_MS
    value: {{ mul (int .root.Values.shutdown.drainDelaySeconds) 1000 | quote }}
  - name: ORCH_SHUTDOWN_GRACE_MS
    value: {{ mul (int .root.Values.shutdown.graceSeconds) 1000 | quote }}
  {{- include "orchestrator.secretEnv" (dict "root" .root "key" "DATABASE_URL") | nindent 2 }}
  {{- include "orchestrator.secretEnv" (dict "root" .root "key" "AMQP_URL") | nindent 2 }}
  {{- with .root.Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
