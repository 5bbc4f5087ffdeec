#!/bin/sh
# Another client that shares nothing with this package: curl, and openssl to sign.
# Usage: sh client.sh <base URL> <app ID> <secret key>; prints one line "<status> <what was tried>" each.
set -eu
base_url=$1 app_id=$2 secret_key=$3

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

# sign <algorithm> <claims> <key>
sign() {
    message=$(printf '{"alg":"%s","typ":"JWT"}' "$1" | base64url).$(printf '%s' "$2" | base64url)
    printf '%s.%s' "$message" "$(printf '%s' "$message" | openssl dgst -sha256 -hmac "$3" -binary | base64url)"
}

# claims <type> <issuer> <seconds until it expires>
claims() { printf '{"tokenType":"%s","iss":"%s","exp":%d}' "$1" "$2" "$(($(date +%s) + $3))"; }

# try <what> <bearer> <curl arguments...>
try() {
    what=$1 bearer=$2
    shift 2
    curl --silent --output /dev/null --write-out "%{http_code} $what\n" \
        --header "Authorization: Bearer $bearer" "$@"
}

users=$base_url/v1/$app_id/users
try "a fresh token" "$(sign HS256 "$(claims app "$app_id" 30)" "$secret_key")" "$users"
try "the secret key" "$secret_key" "$users"
try "expired" "$(sign HS256 "$(claims app "$app_id" -1)" "$secret_key")" "$users"
try "wrong issuer" "$(sign HS256 "$(claims app somebody 30)" "$secret_key")" "$users"
try "wrong type" "$(sign HS256 "$(claims user "$app_id" 30)" "$secret_key")" "$users"
try "wrong secret" "$(sign HS256 "$(claims app "$app_id" 30)" sk_test_wrong)" "$users"
try "alg none" "$(sign none "$(claims app "$app_id" 30)" "$secret_key" | sed 's/[^.]*$//')" "$users"
try "alg none, signed" "$(sign none "$(claims app "$app_id" 30)" "$secret_key")" "$users"
try "a user is stored" "$secret_key" --request PUT \
    --header 'Content-Type: application/json' --data '{"name":"Alice"}' "$users/alice"
try "a file is uploaded" "$secret_key" --form "file=@$0" --form subtype=image "$base_url/v1/$app_id/files"
