package config

import (
	"strings"
	"testing"
)

// A refusal is a configuration that is refused, and what the error says.
type refusal struct {
	name, text, want string
}

func refuse(t *testing.T, table []refusal) {
	t.Helper()
	for _, tt := range table {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	refuse(t, []refusal{
		{"listen without port", "listen: 127.0.0.1", `config.yml:1:9: listen is "127.0.0.1", which is not host:port: write it like 127.0.0.1:8080`},
		{"listen with the name of a port", "listen: 127.0.0.1:http", "has a port that is no number from 0 to 65535"},
		{"listen with a port too large", "listen: 127.0.0.1:65536", "has a port that is no number from 0 to 65535"},
		{"listen with a host that is none", "listen: 'a b:80'", "has no valid host"},
		{"public_url without scheme", "public_url: registry.example.com", "config.yml:1:13: public_url must begin with http:// or https://"},
		{"public_url of another scheme", "public_url: ftp://registry.example.com", "must begin with http:// or https://"},
		{"public_url without host", "public_url: http://:80", "public_url has no valid host"},
		{"public_url with a path", "public_url: https://example.com/v2", "public_url has a path: leave only https://example.com"},
		{"public_url with a query", "public_url: https://example.com?a", "public_url has a query or a fragment: leave only https://host"},
		{"public_url with a fragment", "public_url: https://example.com#", "public_url has a query or a fragment"},
		{"public_url with a port too large", "public_url: https://example.com:70000", "public_url has a port that is no number"},
		{"public_url with a colon alone", "public_url: 'https://example.com:'", "public_url has a port that is no number"},
		{"public_url that is no URL", "public_url: 'https://[::1'", "public_url is no URL"},
	})
}

func TestPasswordsInAddressesAreNotRepeated(t *testing.T) {
	for name, text := range map[string]string{
		"in public_url":                 "public_url: https://user:hunter2@example.com",
		"in upstream.url":               "repositories: {a: {format: oci, upstream: {url: 'https://user:hunter2@example.com'}}}",
		"in one that is no URL":         "public_url: https://user:hunter2@exa mple.com:x",
		"in token_origins":              "repositories: {a: {format: oci, upstream: {url: 'https://example.com', token_origins: ['https://user:hunter2@example.com']}}}",
		"in database":                   "database: mysql://user:hunter2@example.com/hallmark",
		"in a secret that is a number":  "storage: {s3: {bucket: a, region: b, accesskey: hunter2, secretkey: 5}}",
		"in a secret without its key":   "storage: {s3: {bucket: a, region: b, secretkey: hunter2}}",
		"in the address of S3":          "storage: {s3: {bucket: a, region: b, regionendpoint: 'https://user:hunter2@example.com'}}",
		"in place of the name of a key": "keys: {images: [{purpose: image, key: hunter2}]}",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(text)
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAnAddressThatOthersReachNeedsAuthAndPublicURL(t *testing.T) {
	const (
		public = "public_url: https://registry.example.com\n"
		auth   = "auth: {htpasswd: htpasswd}\n"
		hosted = "repositories: {own: {format: oci}}\n"
		mirror = "repositories: {mirror: {format: oci, upstream: {url: 'https://example.com'}}}\n"
		both   = "repositories: {own: {format: oci}, mirror: {format: oci, upstream: {url: 'https://example.com'}}}\n"

		lacksAuth   = "auth:\n      htpasswd: ./htpasswd"
		lacksPublic = "public_url: https://registry.example.com"
	)
	for _, tt := range []struct {
		name, listen, rest string
		says               []string
		hides              []string
	}{
		{"on loopback nothing is needed", "127.0.0.1:8080", "", nil, nil},
		{"the whole of 127.0.0.0/8 is loopback", "127.9.9.9:8080", "", nil, nil},
		{"loopback of IPv6 is loopback", "[::1]:8080", "", nil, nil},
		{"IPv4 loopback in IPv6 is loopback", "[::ffff:127.0.0.1]:8080", "", nil, nil},
		{"localhost is loopback", "localhost:8080", "", nil, nil},
		{"every address lacks both", "0.0.0.0:8080", "", []string{"config.yml:1:9: listen is 0.0.0.0:8080, which other machines can reach", lacksAuth, lacksPublic, "or listen on 127.0.0.1:8080"}, nil},
		{"no host is every address", ":8080", "", []string{lacksAuth, lacksPublic}, nil},
		{"every address of IPv6", "[::]:8080", "", []string{lacksAuth, lacksPublic}, nil},
		{"a name is no loopback", "localhost.example.com:80", "", []string{lacksAuth}, nil},
		{"public_url alone lacks auth", "0.0.0.0:8080", public, []string{lacksAuth, "it guards images"}, []string{lacksPublic}},
		{"auth alone lacks public_url", "0.0.0.0:8080", auth, []string{lacksPublic}, []string{lacksAuth}},
		{"both suffice", "0.0.0.0:8080", public + auth, nil, nil},
		{"the upstream's auth suffices", "0.0.0.0:8080", public + mirror, nil, nil},
		{"the upstream's auth lacks public_url", "0.0.0.0:8080", mirror, []string{lacksPublic}, []string{lacksAuth}},
		{"a hosted repository lacks auth", "0.0.0.0:8080", public + hosted, []string{"it guards own"}, nil},
		{"a hosted repository beside an upstream lacks auth", "0.0.0.0:8080", public + both, []string{"it guards own\n"}, nil},
		{"auth guards the hosted repository beside an upstream", "0.0.0.0:8080", public + both + auth, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse("listen: '" + tt.listen + "'\n" + tt.rest)
			if len(tt.says) == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil {
				t.Fatal("it loads")
			}
			for _, want := range tt.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
			for _, hidden := range tt.hides {
				if strings.Contains(err.Error(), hidden) {
					t.Errorf("the error says %q: %v", hidden, err)
				}
			}
		})
	}
}

func TestRepositoriesThatAreRefused(t *testing.T) {
	refuse(t, []refusal{
		{"a name in capitals", "repositories: {Images: {format: oci}}", "config.yml:1:16: repositories.Images has a name that does not work in paths"},
		{"a name that begins with a dot", "repositories: {.a: {format: oci}}", "does not work in paths"},
		{"a name with a slash", "repositories: {a/b: {format: oci}}", "does not work in paths"},
		{"an empty name", "repositories: {'': {format: oci}}", "does not work in paths"},
		{"the name v2", "repositories: {v2: {format: oci}}", "repositories.v2 has a name that is a path of the proxy itself"},
		{"the name metrics", "repositories: {metrics: {format: oci}}", "is a path of the proxy itself"},
		{"the name -", "repositories: {'-': {format: oci}}", "is a path of the proxy itself"},
		{"no format", "repositories: {a: }", "repositories.a.format is missing: write format: oci"},
		{"another format", "repositories:\n  a:\n    format: debian\n", `config.yml:3:13: repositories.a.format is "debian", which this version does not have: write oci`},
		{"no images", "repositories: {a: {format: oci, images: []}}", "repositories.a.images is empty"},
		{"images in capitals", "repositories: {a: {format: oci, images: ['Team/*']}}", `repositories.a.images[0] is "Team/*", which no image's name matches`},
		{"images with a tag", "repositories: {a: {format: oci, images: ['team/app:1']}}", "which no image's name matches"},
		{"images that begin with a slash", "repositories: {a: {format: oci, images: [/team]}}", "names have no / at an end"},
		{"images with two stars", "repositories: {a: {format: oci, images: ['team/**']}}", "has ** in it: write one *"},
		{"images of two repositories", "repositories:\n  a: {format: oci, images: ['x/*']}\n  b: {format: oci, images: [y, 'x/*']}\n",
			`config.yml:3:32: repositories.b.images[1] is "x/*" like repositories.a.images[0] (config.yml:2:29): let a pattern belong to one repository`},
		{"images that are another's default", "repositories: {a: {format: oci}, b: {format: oci, images: ['a/*']}}", `is "a/*" like repositories.a.images[0]`},
		{"no signatures", "repositories: {a: {format: oci, signatures: []}}", "repositories.a.signatures lacks cosign"},
		{"bundles alone", "repositories: {a: {format: oci, signatures: [bundle]}}", "repositories.a.signatures lacks cosign"},
		{"a layout that is none", "repositories: {a: {format: oci, signatures: [cosign, bundel]}}", `repositories.a.signatures[1] is "bundel" (did you mean bundle?): write cosign or bundle`},
		{"a layout twice", "repositories: {a: {format: oci, signatures: [cosign, cosign]}}", "for the second time"},
		{"auth of the upstream without one", "repositories: {a: {format: oci, auth: upstream}}", "repositories.a.auth is upstream, and there is none"},
		{"auth of another kind", "repositories: {a: {format: oci, auth: htpasswd}}", `repositories.a.auth is "htpasswd": write upstream`},
	})
}

func TestUpstreamsThatAreRefused(t *testing.T) {
	upstream := func(settings string) string {
		return "repositories: {a: {format: oci, upstream: {" + settings + "}}}"
	}
	refuse(t, []refusal{
		{"without url", upstream("timeout: 1s"), "repositories.a.upstream.url is missing"},
		{"without scheme", upstream("url: registry.example.com"), "repositories.a.upstream.url must begin with http:// or https://"},
		{"with a user", upstream("url: 'https://user@example.com'"), "upstream.url has a user in it: leave only https://host; credentials are the pusher's own"},
		{"with a path", upstream("url: 'https://example.com/v2/'"), "upstream.url has a path"},
		{"with a query", upstream("url: 'https://example.com?a=b'"), "upstream.url has a query"},
		{"with an order that is none", upstream("url: 'https://example.com', order: signature_first"), `order is "signature_first" (did you mean signature-first?): write auto, signature-first or image-first`},
		{"with a timeout of nothing", upstream("url: 'https://example.com', timeout: 0s"), "upstream.timeout is 0s: write a duration above 0"},
		{"with a negative timeout", upstream("url: 'https://example.com', timeout: -1s"), "upstream.timeout is -1s"},
		{"with a token origin that has a path", upstream("url: 'https://example.com', token_origins: ['https://auth.example.com/token']"), "upstream.token_origins[0] has a path"},
	})
}

func TestKeysThatAreRefused(t *testing.T) {
	key := func(settings string) string { return "keys: {images: [{" + settings + "}]}" }
	refuse(t, []refusal{
		{"of a repository that is not there", "keys:\n  image: [{purpose: image, generate: p256}]\n", "config.yml:2:3: keys.image belongs to no repository (did you mean images?)"},
		{"an empty ring", "keys: {images: []}", "keys.images is empty"},
		{"without purpose", key("generate: p256"), "config.yml:1:17: keys.images[0].purpose is missing"},
		{"of an unknown purpose", key("purpose: imag, generate: p256"), `keys.images[0].purpose is "imag" (did you mean image?): write image`},
		{"of a purpose that images do not have", key("purpose: npm, generate: p256"), "purpose is npm, and repositories of format oci sign nothing for it: write image"},
		{"both generated and brought along", key("purpose: image, generate: p256, key: 'file:a'"), "has both generate and key"},
		{"neither generated nor brought along", key("purpose: image"), "has neither generate nor key"},
		{"of a kind that is not generated", key("purpose: image, generate: rsa1024"), `generate is "rsa1024" (did you mean rsa2048?): write p224, p256, p384, p521, rsa2048, rsa3072, rsa4096 or ed25519`},
		{"from elsewhere than a file", key("purpose: image, key: 'awskms:///alias/a'"), "key is not file: and the name of a file"},
		{"from a file without name", key("purpose: image, key: 'file:'"), "key is not file: and the name of a file"},
		{"with a scheme", key("purpose: image, scheme: openpgp, generate: p256"), `scheme is "openpgp", and the purpose image has one kind of signature`},
		{"with a user ID", key("purpose: image, uid: me, generate: p256"), "uid is for OpenPGP keys"},
		{"the same file for two repositories", "repositories: {a: {format: oci}, b: {format: oci}}\n" +
			"keys:\n  a: [{purpose: image, key: 'file:k'}]\n  b: [{purpose: image, key: 'file:./k'}]\n",
			"config.yml:4:29: keys.b[0].key is the same file as keys.a[0].key (config.yml:3:29)"},
	})
}

func TestAuthThatIsRefused(t *testing.T) {
	rule := func(settings string) string { return "auth: {htpasswd: a, rules: [{" + settings + "}]}" }
	refuse(t, []refusal{
		{"without htpasswd", "auth: {}", "config.yml:1:1: auth.htpasswd is missing"},
		{"without any rule", "auth: {htpasswd: a, rules: []}", "auth.rules is empty, so that nobody may do anything"},
		{"a rule without users", rule("repositories: ['*'], allow: [read]"), "auth.rules[0] names no users"},
		{"a rule without repositories", rule("users: ['*'], allow: [read]"), "auth.rules[0] names no repositories"},
		{"a rule without rights", rule("users: ['*'], repositories: ['*']"), "auth.rules[0] allows nothing"},
		{"an unknown right", rule("users: ['*'], repositories: ['*'], allow: [read, pull]"), `auth.rules[0].allow[1] is "pull" (did you mean push?): write read, push or delete`},
		{"a user with a colon", rule("users: ['a:b'], repositories: ['*'], allow: [read]"), `auth.rules[0].users[0] is "a:b", which is no user's name`},
		{"a repository that is not there", rule("users: ['*'], repositories: [image], allow: [read]"), `auth.rules[0].repositories[0] is "image", which matches no repository (did you mean images?)`},
		{"a pattern that matches no repository", rule("users: ['*'], repositories: ['x*'], allow: [read]"), "which matches no repository (known: images)"},
		{"an image without its repository", rule("users: ['*'], repositories: ['team/*'], allow: [read]"), "write a repository's name, perhaps with *, or <repository>:<image name>"},
		{"a part that is no image's name", rule("users: ['*'], repositories: ['images:Team'], allow: [read]"), "which after the colon no image's name matches"},
		{"a part that is empty", rule("users: ['*'], repositories: ['images:'], allow: [read]"), "which after the colon no image's name matches"},
		{"a repository whose upstream decides", "repositories: {a: {format: oci, upstream: {url: 'https://example.com'}}}\n" +
			rule("users: ['*'], repositories: [a], allow: [read]"), `is "a", whose upstream decides who may do what: remove it here`},
	})
}

func TestOtherSettingsThatAreRefused(t *testing.T) {
	s3 := func(more string) string { return "storage: {s3: {bucket: a, region: us-east-1, " + more + "}}" }
	refuse(t, []refusal{
		{"tls without key", "tls: {cert: a}", "config.yml:1:1: tls.key is missing"},
		{"tls without cert", "tls: {key: a}", "tls.cert is missing"},
		{"no data", "data: ''", "config.yml:1:7: data is empty"},
		{"a database of another kind", "database: mysql://localhost/hallmark", "database is no address of PostgreSQL: write postgres://USER@HOST/NAME, or leave it empty for SQLite under data"},
		{"a database's keywords and values", "database: host=localhost dbname=hallmark", "database is no address of PostgreSQL"},
		{"a database that is no address", "database: 'postgres://a b'", "database is no address"},
		{"a server without a database", "database: postgres://localhost", "database names no database"},
		{"a storage driver that this version does not have", "storage: {gcs: {bucket: a}}", "storage.gcs is a storage driver that this version does not have: write filesystem, inmemory or s3"},
		{"two storage drivers", "storage: {inmemory: , filesystem: }", "storage has the drivers filesystem, inmemory: keep one of them"},
		{"an unknown parameter of filesystem", "storage: {filesystem: {rootdir: /srv}}", "config.yml:1:33: storage.filesystem.rootdir is no parameter of filesystem (did you mean rootdirectory?)"},
		{"a folder that is a number", "storage: {filesystem: {rootdirectory: 5}}", "rootdirectory is no folder"},
		{"a number of threads that is text", "storage: {filesystem: {maxthreads: many}}", "maxthreads is no number of threads"},
		{"a parameter of inmemory", "storage: {inmemory: {a: b}}", "inmemory takes none"},
		{"S3 without a bucket", "storage: {s3: {region: us-east-1}}", "config.yml:1:11: storage.s3.bucket is missing: name the bucket"},
		{"S3 without a region", "storage: {s3: {bucket: a, regionendpoint: 'http://127.0.0.1:9000'}}", "storage.s3.region is missing: write the bucket's region, such as us-east-1"},
		{"an unknown parameter of S3", s3("forcepathstile: true"), "storage.s3.forcepathstile is no parameter of s3 (did you mean forcepathstyle?)"},
		{"a redirect to S3", s3("redirectendpoint: 'https://cdn.example.com'"), "storage.s3.redirectendpoint is for redirects to S3, which are never made: clients need only reach the proxy. Remove it"},
		{"a flag of S3 that is text", s3("secure: 'yes'"), "storage.s3.secure is neither true nor false: write one of these, without quotes"},
		{"a bucket that is a number", "storage: {s3: {region: a, bucket: 5}}", "storage.s3.bucket is no text: put it in quotes"},
		{"a chunk of S3 that is too small", s3("chunksize: 5000000"), "storage.s3.chunksize is no number from 5242880"},
		{"a chunk of S3 with a unit", s3("chunksize: 5MiB"), "storage.s3.chunksize is no number from 5242880"},
		{"more chunks than S3 has", s3("chunksize: 5242880") + "\nlimits: {upload: 1TiB}", "storage.s3.chunksize is too small for limits.upload, 1TiB, in 10000 parts, which is all that S3 has: write 109951163 or more"},
		{"half of a key of S3", s3("accesskey: a"), "storage.s3.secretkey is missing: give both accesskey and secretkey, or neither"},
		{"the other half of a key of S3", s3("secretkey: hunter2"), "storage.s3.accesskey is missing: give both accesskey and secretkey, or neither"},
		{"a secret as config print writes it", s3("accesskey: a, secretkey: '[secret]'"), "storage.s3.secretkey is what config print writes instead of a secret: write the secret itself"},
		{"a server that is no address", s3("regionendpoint: '127.0.0.1:9000'"), "storage.s3.regionendpoint is no URL"},
		{"a server with a path", s3("regionendpoint: 'http://127.0.0.1:9000/s3'"), "storage.s3.regionendpoint has a path"},
		{"an upload limit of nothing", "limits: {upload: 0}", "config.yml:1:18: limits.upload is 0: write a size above 0"},
		{"a manifest limit above 4MiB", "limits: {manifest: 5MiB}", "limits.manifest is 5MiB: write a size above 0 and up to 4MiB"},
		{"a manifest limit of nothing", "limits: {manifest: 0}", "limits.manifest is 0"},
		{"a log format that is none", "log: {format: xml}", `log.format is "xml": write text or json`},
		{"a log level in capitals", "log: {level: INFO}", `log.level is "INFO" (did you mean info?): write debug, info, warn or error`},
	})
}

func TestAllWrongSettingsAreNamedAtOnce(t *testing.T) {
	_, err := parse("data: ''\nlog: {level: loud}\nlimits: {upload: 0}\n")
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v, want three lines", err)
	}
}
