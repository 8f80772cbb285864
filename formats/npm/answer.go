package npm

import (
	"encoding/json"
	"fmt"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/strictjson"
)

// Answer puts answers into JSON: npm shows people what is under "error".
func (f *Format) Answer(_ format.Site, r format.Request, a format.Answer) format.Answer {
	body := map[string]any{"ok": true, "success": true}
	op, err := f.Route(r)
	switch {
	case a.Status == 404 && err == nil && op.Addressed:
		body = map[string]any{"error": fmt.Sprintf("there is no package %.300q here", r.Path)}
	case a.Status >= 400:
		body = map[string]any{"error": a.Text}
	case a.Op.Kind == format.Login:
		body["token"] = a.Key
	case a.Status == 204:
		a.Status = 200
	}
	if data, err := json.Marshal(body); err == nil {
		a.Type, a.Data = "application/json", data
	}
	return a
}

// Login reads what "npm login" sends to /-/user/org.couchdb.user:NAME.
func (f *Format) Login(r format.Request, body []byte) (user, password string, err error) {
	o, err := strictjson.Parse(body)
	if err != nil {
		return "", "", err
	}
	if user, err = o.String("name"); err != nil {
		return "", "", err
	}
	if password, err = o.String("password"); err != nil {
		return "", "", err
	}
	if user == "" || strings.Contains(user, ":") || !strings.HasPrefix(r.Path, "-/user/org.couchdb.user:"+user) {
		return "", "", format.Malformedf("the login names no user, or another one than its address")
	}
	return user, password, nil
}
