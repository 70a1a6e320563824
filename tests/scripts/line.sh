#!/bin/sh
# A line of routers, each a server of its own, as in figure 3.31 of the book: COUNT servers on
# COUNT buses, and a ping from the last one to the first.
#
# Needs the server and the tools on PATH, and a directory to run in: sockets, and buses in shm/.
set -eu

count=${1:?usage: line.sh COUNT, from 2 to 255}
mkdir -p shm

# Server N has shmif0 on its own bus, as 1.2.N.1, and shmif1 on that of its neighbour, as 1.2.N+1.2.
address() {
    rump.ifconfig "$1" create
    rump.ifconfig "$1" linkstr "shm/bus$2"
    rump.ifconfig "$1" inet "1.2.$2.$3" netmask 255.255.255.0
}

network() {
    rump.route add -net "1.2.$1.0" -netmask 255.255.255.0 "$2"
}

for n in $(seq "$count"); do
    next=$((n + 1))
    export RUMP_SERVER="unix://router$n"
    rump_server -l netinet -l shmif "$RUMP_SERVER"
    address shmif0 "$n" 1
    [ "$n" -eq "$count" ] || address shmif1 "$next" 2
    # Backward and forward, but where the network is its own.
    [ "$n" -eq 1 ] || network 1 "1.2.$n.2"
    [ "$next" -ge "$count" ] || network "$count" "1.2.$next.1"
done

rump.ping -c 1 1.2.1.1
