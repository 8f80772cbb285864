#!/bin/sh
# Makes the keys in this folder, with gpg 2.2. They are checked in: the tests
# need no gpg.
#
# NAME.key is a private key, NAME.asc the public half as gpg exports it. What
# is encrypted opens with the passphrase "correct horse". All were made in 2024.
set -eu
cd "$(dirname "$0")"
rm -f ./*.key ./*.asc
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
trap 'gpgconf --kill all; rm -rf "$GNUPGHOME"' EXIT

pass='correct horse'
g() { gpg --quiet --batch --yes --no-tty --pinentry-mode loopback --passphrase "${P-}" "$@"; }
at() { date=$1; shift; g --faked-system-time "${date}T000000!" "$@"; }
fpr() { g --list-secret-keys --with-colons "$1" | awk -F: '$1 == "fpr" { print $10; exit }'; }
new() { name=$1; shift; at 20240101 --quick-generate-key "$name" "$@"; }
# write NAME USER-ID: the key as a file
write() { g --export-secret-keys --armor "$2" >"$1.key"; g --export --armor "$2" >"$1.asc"; }

for kind in rsa2048 rsa4096 ed25519 nistp256 nistp384 nistp521; do
	new "$kind key" "$kind" sign,cert never
	write "$kind" "$kind key"
done
g --export-secret-keys 'ed25519 key' >ed25519-binary.key

# As gpg makes them if it is asked for nothing: with a subkey to encrypt to.
new 'default key' default default never
write default 'default key'

P=$pass new 'encrypted key' nistp256 sign,cert never
P=$pass write encrypted 'encrypted key'

# A primary key that stays at home, an old and a new subkey that sign, and one
# to encrypt to.
new 'subkeys key' rsa2048 cert never
id=$(fpr 'subkeys key')
at 20240201 --quick-add-key "$id" rsa2048 sign never
at 20240301 --quick-add-key "$id" ed25519 sign never
at 20240401 --quick-add-key "$id" cv25519 encr never
write subkeys "$id"
g --export-secret-subkeys --armor "$id" >subkeys-stub.key

# Its newest subkey ends in 2030.
new 'expiring subkey' ed25519 sign,cert never
id=$(fpr 'expiring subkey')
at 20240201 --quick-add-key "$id" rsa2048 sign never
at 20240301 --quick-add-key "$id" ed25519 sign 2030-01-01
write expiring-subkey "$id"

new 'expiring key' ed25519 sign,cert 2030-01-01
write expiring 'expiring key'

new 'two names' ed25519 sign,cert never
at 20240201 --quick-add-uid 'two names' 'the second name'
at 20240301 --quick-set-primary-uid 'two names' 'the second name'
write two-names 'two names'

# What is refused.
new 'revoked key' ed25519 sign,cert never
id=$(fpr 'revoked key')
sed 's/^:---/---/' "$GNUPGHOME/openpgp-revocs.d/$id.rev" | g --import
write refused-revoked "$id"

new 'retired key' ed25519 sign,cert never
id=$(fpr 'retired key')
printf 'y\n3\n\ny\n' | gpg --quiet --no-tty --command-fd 0 --pinentry-mode loopback --passphrase '' --gen-revoke "$id" | g --import
write refused-retired "$id"

new 'certifying key' ed25519 cert never
at 20240201 --quick-add-key "$(fpr 'certifying key')" cv25519 encr never
write refused-certifying 'certifying key'

new 'revoked subkey' ed25519 cert never
id=$(fpr 'revoked subkey')
at 20240201 --quick-add-key "$id" ed25519 sign never
printf 'key 1\nrevkey\ny\n0\n\ny\nsave\n' | gpg --quiet --no-tty --command-fd 0 --pinentry-mode loopback --passphrase '' --edit-key "$id"
write refused-revoked-subkey "$id"

new 'brainpool key' brainpoolP256r1 sign,cert never
write refused-brainpool 'brainpool key'
new 'rsa1024 key' rsa1024 sign,cert never
write refused-rsa1024 'rsa1024 key'
new 'dsa key' dsa2048 sign,cert never
write refused-dsa 'dsa key'
at 20240101 --cert-digest-algo SHA1 --quick-generate-key 'sha1 key' ed25519 sign,cert never
write refused-sha1 'sha1 key'
g --export-secret-keys --armor 'ed25519 key' 'nistp256 key' >refused-two.key
rm -f refused-*.asc
