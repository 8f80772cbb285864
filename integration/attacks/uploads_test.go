package attacks

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/url"
	"testing"

	"hallmark/integration/world"
)

// Rule: who may push to one name reads nothing of another by it. A mount names the other image in the query, and the
// registry would read it from a form, too.

func TestAMountDoesNotReadWhatTheUserMayNot(t *testing.T) {
	owner, guest := world.User{Name: "owner", Password: "owner-secret"}, world.User{Name: "guest", Password: "guest-secret"}
	h := embedded(t, settings{user: owner, config: "auth:\n  htpasswd: " + passwords(t, owner, guest) + `
  rules:
    - {users: [owner], repositories: ["*"], allow: [read, push, delete]}
    - {users: [guest], repositories: ["images:guest/*", "images:public/*"], allow: [read, push]}
`})
	secret := h.api.blob(t, "private/app", "application/octet-stream", []byte("what nobody else may read"))
	public := h.api.blob(t, "public/app", "application/octet-stream", []byte("what everybody may read"))
	g := newAPI(h.proxy.URL, guest)
	g.get(t, "/v2/private/app/blobs/"+secret.Digest).refused(t, http.StatusForbidden)

	query := func(from, digest string) string {
		return url.Values{"from": {from}, "mount": {digest}}.Encode()
	}
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	parts.WriteField("from", "private/app")
	parts.WriteField("mount", secret.Digest)
	parts.Close()
	uploads := "/v2/guest/app/blobs/uploads/"
	for what, attack := range map[string]func() answer{
		"a query": func() answer { return g.do(t, http.MethodPost, uploads+"?"+query("private/app", secret.Digest), nil) },
		"no from": func() answer { return g.do(t, http.MethodPost, uploads+"?mount="+secret.Digest, nil) },
		"from twice": func() answer {
			return g.do(t, http.MethodPost, uploads+"?from=public/app&"+query("private/app", secret.Digest), nil)
		},
		"from twice, the other way": func() answer {
			return g.do(t, http.MethodPost, uploads+"?"+query("private/app", secret.Digest)+"&from=public/app", nil)
		},
		"semicolons": func() answer {
			return g.do(t, http.MethodPost, uploads+"?x=1;from=private/app;mount="+secret.Digest, nil)
		},
		"a form": func() answer {
			return g.do(t, http.MethodPost, uploads, []byte(query("private/app", secret.Digest)), "Content-Type", "application/x-www-form-urlencoded")
		},
		"a form with parameters": func() answer {
			return g.do(t, http.MethodPost, uploads, []byte(query("private/app", secret.Digest)), "Content-Type", "Application/X-WWW-Form-Urlencoded; charset=utf-8")
		},
		"a form and a query": func() answer {
			return g.do(t, http.MethodPost, uploads+"?"+query("public/app", secret.Digest), []byte("from=private/app"), "Content-Type", "application/x-www-form-urlencoded")
		},
		"a multipart form": func() answer {
			return g.do(t, http.MethodPost, uploads, form.Bytes(), "Content-Type", parts.FormDataContentType())
		},
		"a name that leads elsewhere": func() answer {
			return g.do(t, http.MethodPost, uploads+"?"+query("public/../private/app", secret.Digest), nil)
		},
		"another's upload": func() answer {
			return g.do(t, http.MethodPut, "/v2/private/app/blobs/uploads/x?digest="+secret.Digest, nil)
		},
	} {
		t.Run(what, func(t *testing.T) {
			if w := attack(); w.status == http.StatusCreated {
				t.Errorf("the mount was made: %v", w.header)
			}
			if w := g.get(t, "/v2/guest/app/blobs/"+secret.Digest); w.status != http.StatusNotFound {
				t.Errorf("the guest reads what is private: %d %s", w.status, w.body)
			}
		})
	}
	// Its twin: a mount of what the user may read.
	g.do(t, http.MethodPost, uploads+"?"+query("public/app", public.Digest), nil).expect(t, http.StatusCreated)
	g.get(t, "/v2/guest/app/blobs/"+public.Digest).expect(t, http.StatusOK)
}

// A mount in front of an upstream is passed on for the upstream to judge, and never from another repository of ours.
func TestAMountIsNotMadeFromAnotherRepository(t *testing.T) {
	h := upstream(t, settings{only: "team/*"})
	blob := h.api.blob(t, "team/app", "application/octet-stream", []byte("ours"))
	past := h.behind.blob(t, "other/app", "application/octet-stream", []byte("what the proxy does not serve"))
	h.api.do(t, http.MethodPost, "/v2/team/new/blobs/uploads/?from=team/app&mount="+blob.Digest, nil).expect(t, http.StatusCreated)
	h.api.do(t, http.MethodPost, "/v2/team/new/blobs/uploads/?from=other/app&mount="+past.Digest, nil).expect(t, http.StatusAccepted)
	h.api.get(t, "/v2/team/new/blobs/"+past.Digest).expect(t, http.StatusNotFound)
}
