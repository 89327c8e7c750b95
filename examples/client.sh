#!/usr/bin/env bash
# A client in a shell: signs up, adds an item, lists all, and gets another access
# token when the one it has is no longer good. Takes curl, nothing else.
#
#	shelf run -- examples/client.sh    with a server of its own
#	examples/client.sh                 with the one at SHELF_URL, or on port 8080
#
# Secrets go to curl through files (the @<(…) below), as anybody on the machine
# can read a program's arguments.
set -euo pipefail
url=${SHELF_URL:-http://127.0.0.1:8080}

# field NAME: a text out of the JSON in $answer. With jq at hand, use that.
field() { sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/" <<<"$answer"; }

# ask PATH [CURL'S ARGUMENTS…] sets $answer, and $status to its HTTP status.
ask() {
	answer=$(curl -sS -w '\n%{http_code}' "$url$1" "${@:2}")
	status=${answer##*$'\n'} answer=${answer%$'\n'*}
}

# good fails, with the server's words, unless the last answer was a success.
good() { if [ "$status" -ge 300 ]; then printf '%s\n' "$answer" >&2; return 1; fi; }

# sign HOW EMAIL PASSWORD: HOW is signup or signin.
sign() {
	ask "/api/v1/auth/$1" --data-urlencode "email=$2" --data-urlencode password@<(printf %s "$3")
	good
	access=$(field access_token) refresh=$(field refresh_token)
}

# call PATH [CURL'S ARGUMENTS…] is ask with the access token. A 401 may mean that
# its 15 minutes are over: then the refresh token, which has 30 days, gets a new one.
call() {
	ask "$@" -H @<(echo "Authorization: Bearer $access")
	if [ "$status" = 401 ]; then
		ask /api/v1/auth/refresh -X POST -H @<(echo "Authorization: Bearer $refresh")
		good
		access=$(field access_token)
		case $answer in *'"refresh_token"'*) refresh=$(field refresh_token) ;; esac # with -rotate-refresh there is a next one
		ask "$@" -H @<(echo "Authorization: Bearer $access")
	fi
	good
}

sign signup "shell-$$@example.com" 'b00k-worm'
call /api/v1/items -d itemname=ball -d category=soccer -d 'description=something to kick'
printf %s "$answer"

if [ -n "${SHELF_LAB_TOKEN-}" ]; then # in shelf run a quarter of an hour is soon over
	ask /lab/clock -H @<(echo "X-Lab-Token: $SHELF_LAB_TOKEN") -d advance=16m
	good
	old=$access
fi
call /api/v1/items
printf %s "$answer"
if [ "${old-}" ] && [ "$old" != "$access" ]; then echo "the access token was renewed"; fi
