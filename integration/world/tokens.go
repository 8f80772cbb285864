package world

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	tokenService = "stock-registry"
	tokenIssuer  = "test-token-server"
	tokenKey     = "test-key"
)

// A tokenServer grants tokens as the Docker token specification says
// (https://distribution.github.io/distribution/spec/auth/token/): the part of the scopes asked for that
// the user has. Somebody without credentials gets a token that grants nothing, and a wrong password is 401.
// It takes credentials as Basic on GET, and as a form on POST, as OAuth 2 has it.
type tokenServer struct {
	key   *ecdsa.PrivateKey
	users map[string]User
}

func newTokenServer(t T, users ...User) *tokenServer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("%v", err)
	}
	s := &tokenServer{key: key, users: make(map[string]User)}
	for _, u := range users {
		s.users[u.Name] = u
	}
	return s
}

func (s *tokenServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	name, password, given := r.BasicAuth()
	if r.Method == http.MethodPost && r.PostForm.Get("grant_type") == "password" {
		name, password, given = r.PostForm.Get("username"), r.PostForm.Get("password"), true
	}
	user, known := s.users[name]
	if given && (!known || user.Password != password) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		w.Write([]byte(`{"errors":[{"code":"UNAUTHORIZED","message":"wrong user or password"}]}`))
		return
	}
	token := s.token(user, r.Form["scope"])
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{
		"token": token, "access_token": token, "expires_in": 300,
		"issued_at": time.Now().UTC().Format(time.RFC3339),
	})
}

// access is one entry of the claim of that name, which distribution reads.
type access struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

// token returns a JSON Web Token, signed ES256, for the scopes that the user has.
func (s *tokenServer) token(user User, scopes []string) string {
	granted := []access{}
	for _, scope := range scopes {
		for _, one := range strings.Fields(scope) {
			if a, ok := grant(user, one); ok {
				granted = append(granted, a)
			}
		}
	}
	now := time.Now().Unix()
	signed := segment(map[string]any{"typ": "JWT", "alg": "ES256", "kid": tokenKey}) + "." +
		segment(map[string]any{
			"iss": tokenIssuer, "aud": tokenService, "sub": user.Name,
			"iat": now, "nbf": now, "exp": now + 300, "jti": rand.Text(), "access": granted,
		})
	digest := sha256.Sum256([]byte(signed))
	r, ss, err := ecdsa.Sign(rand.Reader, s.key, digest[:])
	if err != nil {
		panic(err) // rand.Reader does not fail
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	ss.FillBytes(sig[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// grant cuts a scope, repository:team/app:pull,push, down to what the user may do. Whoever may push may list all images.
func grant(user User, scope string) (access, bool) {
	if scope == "registry:catalog:*" && slices.Contains(user.Actions, "push") {
		return access{Type: "registry", Name: "catalog", Actions: []string{"*"}}, true
	}
	kind, rest, ok := strings.Cut(scope, ":")
	i := strings.LastIndex(rest, ":")
	if !ok || i < 0 || kind != "repository" {
		return access{}, false
	}
	var allowed []string
	for _, action := range strings.Split(rest[i+1:], ",") {
		if slices.Contains(user.Actions, action) {
			allowed = append(allowed, action)
		}
	}
	return access{Type: kind, Name: rest[:i], Actions: allowed}, len(allowed) > 0
}

// jwks returns the public key in the form that distribution's auth.token.jwks reads (RFC 7517).
func (s *tokenServer) jwks() []byte {
	point, err := s.key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		panic(err) // a key that GenerateKey made
	}
	set, err := json.Marshal(map[string]any{"keys": []map[string]string{{
		"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": tokenKey,
		"x": base64.RawURLEncoding.EncodeToString(point[1:33]),
		"y": base64.RawURLEncoding.EncodeToString(point[33:]),
	}}})
	if err != nil {
		panic(err) // maps of strings
	}
	return set
}

func segment(v map[string]any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of plain values
	}
	return base64.RawURLEncoding.EncodeToString(data)
}
