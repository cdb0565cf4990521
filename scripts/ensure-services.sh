#!/usr/bin/env bash
# ensure-services.sh: a PostgreSQL and a RabbitMQ for the tests.
#   eval "$(scripts/ensure-services.sh)"   sets DATABASE_URL and AMQP_URL
#   scripts/ensure-services.sh stop        ends what this script started
# What answers at DATABASE_URL and AMQP_URL (default: this machine's standard ports) is used as it is. Otherwise
# the Debian package is installed if it is missing, and a private instance is started on a free port with its data
# under /var/tmp; no server and no data that were there before are touched.
set -euo pipefail

home=${ORCH_SERVICES:-/var/tmp/orchestrator-services-$(id -u)}
pg=$home/postgres
mq=$home/rabbitmq
wanted_database=${DATABASE_URL:-postgres://postgres@127.0.0.1:5432/test}
wanted_broker=${AMQP_URL:-amqp://guest:guest@127.0.0.1:5672}

say() { echo "ensure-services: $*" >&2; }

# What follows // and @ in a URL, without path: it may be shown, the rest of the URL may hold a password.
address() { sed -E 's#^[a-z]+://([^@/]*@)?([^/?]+).*#\2#' <<<"$1"; }

apt_install() {
  say "installing by apt: $*"
  local sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo -n)
  "${sudo[@]}" apt-get update -qq >&2
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.3
  done
}

# --- PostgreSQL

postgres_bin() {
  local dir
  for dir in "$(pg_config --bindir 2>/dev/null || true)" /usr/lib/postgresql/*/bin; do
    if [ -x "$dir/initdb" ]; then
      echo "$dir"
      return
    fi
  done
}

database_answers() {
  local psql
  psql=$(command -v psql || echo "$(postgres_bin)/psql")
  PGCONNECT_TIMEOUT=3 "$psql" "$1" -XAtqc 'select 1' >/dev/null 2>&1
}

# PostgreSQL refuses to run as root: then its own user does it.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi
}

start_postgres() {
  [ -n "$(postgres_bin)" ] || apt_install postgresql
  local bin port
  bin=$(postgres_bin)
  mkdir -p "$pg"
  [ "$(id -u)" != 0 ] || chown postgres "$pg"
  if [ ! -s "$pg/data/PG_VERSION" ]; then
    as_postgres "$bin/initdb" --pgdata="$pg/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 >/dev/null
  fi
  port=$(free_port)
  say "starting a private PostgreSQL on port $port"
  # fsync off: a crash of the machine may cost test data, a crash of the server does not.
  as_postgres "$bin/pg_ctl" --pgdata="$pg/data" --log="$pg/log" --silent --wait --options \
    "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c max_connections=300" start
  database_answers "postgres://postgres@127.0.0.1:$port/test" ||
    as_postgres "$bin/createdb" --host=127.0.0.1 --port="$port" --username=postgres test
  echo "postgres://postgres@127.0.0.1:$port/test" >"$pg/url"
}

# The URL of the database that answers: the wanted one, the private one that runs already, or a new one.
database() {
  if database_answers "$wanted_database"; then
    say "PostgreSQL answers at $(address "$wanted_database")"
    echo "$wanted_database"
    return
  fi
  say "no PostgreSQL answers at $(address "$wanted_database")"
  if ! { [ -s "$pg/url" ] && database_answers "$(cat "$pg/url")"; }; then
    start_postgres
  fi
  cat "$pg/url"
}

# --- RabbitMQ

# A broker answers the AMQP greeting with a method frame, whose first byte is 1.
broker_answers() {
  local at host port
  at=$(address "$1")
  host=${at%%:*}
  port=5672
  [ "$at" = "$host" ] || port=${at##*:}
  # shellcheck disable=SC2016  # the inner shell expands them
  timeout 3 bash -c '
    exec 3<>"/dev/tcp/$0/$1" && printf "AMQP\0\0\x09\x01" >&3 && [ "$(head -c 1 <&3 | od -An -tx1)" = " 01" ]
  ' "$host" "$port" 2>/dev/null
}

rabbitmq_bin() {
  local dir
  for dir in /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin; do
    if [ -x "$dir/rabbitmq-server" ]; then
      echo "$dir"
      return
    fi
  done
}

# The environment that keeps a private node apart from every other on the machine.
with_private_node() {
  env HOME="$mq" RABBITMQ_NODENAME=orchestrator@localhost RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 \
    RABBITMQ_NODE_PORT="$(cat "$mq/port")" RABBITMQ_DIST_PORT="$(cat "$mq/dist-port")" \
    ERL_EPMD_PORT="$(cat "$mq/epmd-port")" ERL_EPMD_ADDRESS=127.0.0.1 RABBITMQ_CTL_ERL_ARGS="-setcookie orchestrator" \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-setcookie orchestrator" RABBITMQ_MNESIA_BASE="$mq/data" \
    RABBITMQ_LOG_BASE="$mq/log" RABBITMQ_PID_FILE="$mq/pid" RABBITMQ_ENABLED_PLUGINS_FILE="$mq/plugins" \
    RABBITMQ_CONFIG_FILE="$mq/rabbitmq" RABBITMQ_ADVANCED_CONFIG_FILE="$mq/advanced" \
    RABBITMQ_CONF_ENV_FILE=/dev/null "$@"
}

start_rabbitmq() {
  if [ -z "$(rabbitmq_bin)" ]; then
    apt_install rabbitmq-server
    # The package may have started its own.
    if wait_for 15 broker_answers "$wanted_broker"; then
      echo "$wanted_broker" >"$mq/url"
      return
    fi
  fi
  free_port >"$mq/port"
  free_port >"$mq/dist-port"
  free_port >"$mq/epmd-port"
  echo '[].' >"$mq/plugins"
  echo 'loopback_users.guest = true' >"$mq/rabbitmq.conf"
  local url
  url=amqp://guest:guest@127.0.0.1:$(cat "$mq/port")
  say "starting a private RabbitMQ on port $(cat "$mq/port")"
  # Not -detached: nohup keeps it in sight and its errors in one file.
  with_private_node nohup setsid "$(rabbitmq_bin)/rabbitmq-server" </dev/null >"$mq/output" 2>&1 &
  if ! wait_for 60 broker_answers "$url"; then
    say "RabbitMQ did not start; its last words:"
    tail -n 20 "$mq/output" >&2
    return 1
  fi
  echo "$url" >"$mq/url"
}

broker() {
  mkdir -p "$mq"
  if broker_answers "$wanted_broker"; then
    say "RabbitMQ answers at $(address "$wanted_broker")"
    echo "$wanted_broker"
    return
  fi
  say "no RabbitMQ answers at $(address "$wanted_broker")"
  if ! { [ -s "$mq/url" ] && broker_answers "$(cat "$mq/url")"; }; then
    start_rabbitmq
  fi
  cat "$mq/url"
}

# --- the end of both

stop() {
  if [ -s "$pg/data/postmaster.pid" ]; then
    say "stopping the private PostgreSQL"
    as_postgres "$(postgres_bin)/pg_ctl" --pgdata="$pg/data" --silent --mode=fast stop || true
  fi
  if [ -s "$mq/pid" ] && kill -0 "$(cat "$mq/pid")" 2>/dev/null; then
    say "stopping the private RabbitMQ"
    with_private_node "$(rabbitmq_bin)/rabbitmqctl" --quiet stop "$mq/pid" >&2 || true
    ERL_EPMD_PORT=$(cat "$mq/epmd-port") epmd -kill >/dev/null 2>&1 || true
  fi
  rm -f "$pg/url" "$mq/url"
}

mkdir -p "$home"
if [ ! -O "$home" ]; then
  say "$home belongs to somebody else; set ORCH_SERVICES to a folder of your own"
  exit 1
fi

case ${1:-start} in
  start)
    database_url=$(database)
    amqp_url=$(broker)
    printf 'export DATABASE_URL=%q AMQP_URL=%q\n' "$database_url" "$amqp_url"
    ;;
  stop) stop ;;
  *)
    say "usage: ensure-services.sh [start|stop]"
    exit 2
    ;;
esac
