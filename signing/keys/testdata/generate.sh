#!/bin/sh
# Makes the keys in this folder, with openssl 3, ssh-keygen, gpg, and cosign 2
# and 3 as cosign2 and cosign3. They are checked in: the tests need none of
# these programs.
#
# NAME.key is a private key, NAME.pub the public half of one that works. What is
# encrypted opens with the passphrase "correct horse".
set -eu
cd "$(dirname "$0")"
rm -f ./*.key ./*.pub

ec() { curve=$1; shift; openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:"$curve" "$@"; }
pass='pass:correct horse'

ec P-224 -out pkcs8-p224.key
ec P-256 -out pkcs8-p256.key
ec P-384 -out pkcs8-p384.key
ec P-521 -out pkcs8-p521.key
openssl genpkey -algorithm ED25519 -out pkcs8-ed25519.key
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out pkcs8-rsa2048.key
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out pkcs8-rsa3072.key
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -out pkcs8-rsa4096.key
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:8192 -out pkcs8-rsa8192.key
openssl ecparam -name prime256v1 -genkey -out sec1-p256-with-parameters.key
openssl pkey -traditional -in pkcs8-p384.key -out sec1-p384.key
openssl rsa -traditional -in pkcs8-rsa2048.key -out pkcs1-rsa2048.key

encrypt() { openssl pkcs8 -topk8 -passout "$pass" -in "$@"; }
encrypt pkcs8-p256.key -out encrypted-p256.key
encrypt pkcs8-rsa3072.key -v2 aes-128-cbc -v2prf hmacWithSHA512 -out encrypted-rsa3072-sha512.key
encrypt pkcs8-p521.key -v2 aes-192-cbc -v2prf hmacWithSHA1 -out encrypted-p521-sha1.key
encrypt pkcs8-ed25519.key -scrypt -out encrypted-ed25519-scrypt.key

for key in *.key; do
	openssl pkey -passin "$pass" -in "$key" -pubout -out "${key%.key}.pub"
done

# cosign writes the .pub, too.
export COSIGN_PASSWORD='correct horse'
cosign3 import-key-pair --key pkcs8-p256.key --output-key-prefix cosign3-p256
cosign2 import-key-pair --key pkcs8-rsa2048.key --output-key-prefix cosign2-rsa2048
COSIGN_PASSWORD='' cosign2 import-key-pair --key pkcs8-p256.key --output-key-prefix cosign2-p256-no-passphrase
# cosign 1 gave the block another name.
sed s/SIGSTORE/COSIGN/ cosign2-rsa2048.key >cosign1-rsa2048.key
cp cosign2-rsa2048.pub cosign1-rsa2048.pub

# What is refused.
ec secp256k1 -out refused-secp256k1.key
ec secp256k1 -outform DER | openssl ec -inform DER -out refused-secp256k1-sec1.key
encrypt refused-secp256k1.key -out refused-secp256k1-encrypted.key
ec brainpoolP256r1 -out refused-brainpool.key
ec prime192v1 -out refused-p192.key
ec secp160r1 -out refused-secp160r1.key
ec P-256 -pkeyopt ec_param_enc:explicit -out refused-explicit.key
openssl ec -in refused-explicit.key -out refused-explicit-sec1.key
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out refused-rsa1024.key
openssl rsa -traditional -in refused-rsa1024.key -out refused-rsa1024-pkcs1.key
openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out refused-rsapss.key
openssl dsaparam -genkey -out refused-dsa.key 1024
openssl pkcs8 -topk8 -nocrypt -in refused-dsa.key -out refused-dsa-pkcs8.key
openssl genpkey -algorithm ED448 -out refused-ed448.key
openssl genpkey -algorithm X25519 -out refused-x25519.key
openssl ec -aes128 -passout "$pass" -in pkcs8-p256.key -out refused-dek-info.key
encrypt pkcs8-p256.key -v2 des3 -out refused-des3.key
encrypt pkcs8-p256.key -v1 PBE-SHA1-3DES -out refused-pbes1.key
encrypt pkcs8-p256.key -iter 20000000 -out refused-iterations.key
cp pkcs8-p256.pub refused-public.key
openssl rsa -RSAPublicKey_out -in pkcs8-rsa2048.key -out refused-rsa-public.key
openssl req -x509 -key pkcs8-p256.key -subj /CN=test -days 36500 -out refused-certificate.key
cat pkcs8-p256.key pkcs8-p384.key >refused-two.key
ssh-keygen -q -t ed25519 -N '' -C test -f openssh && mv openssh refused-openssh.key && rm openssh.pub
GNUPGHOME=$(mktemp -d) && export GNUPGHOME
gpg --batch --quiet --passphrase '' --quick-generate-key test@example.com ed25519 sign never
gpg --batch --quiet --armor --export-secret-keys --output refused-openpgp.key
rm -r "$GNUPGHOME"
chmod 0644 ./*.key ./*.pub
