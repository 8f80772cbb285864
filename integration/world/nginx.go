package world

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// An Nginx serves a folder as it is.
type Nginx struct {
	URL  string // http://host:port or https://host:port
	Addr string // host:port

	*Process
	config string
}

// NginxOptions, of which the zero value is a server that everybody may read.
type NginxOptions struct {
	DAV       bool   // it takes PUT and DELETE
	Users     []User // who may; empty: nobody is asked
	Cert, Key string // the PEM files of TLS; empty: plain HTTP
}

// StartNginx starts nginx over a folder and waits until it answers.
func StartNginx(t T, dir string, o NginxOptions) *Nginx {
	t.Helper()
	own := t.TempDir()
	n := &Nginx{Addr: FreeAddr(t), config: filepath.Join(own, "nginx.conf")}
	n.URL = "http://" + n.Addr
	var settings strings.Builder
	if o.DAV {
		settings.WriteString("dav_methods PUT DELETE; create_full_put_path on; dav_access user:rw all:r;\n")
	}
	if len(o.Users) > 0 {
		passwords := file(t, "htpasswd", string(Htpasswd(t, o.Users...)))
		fmt.Fprintf(&settings, "auth_basic upstream; auth_basic_user_file %s;\n", passwords)
	}
	listen := n.Addr
	if o.Cert != "" {
		n.URL, listen = "https://"+n.Addr, n.Addr+" ssl"
		fmt.Fprintf(&settings, "ssl_certificate %s; ssl_certificate_key %s;\n", o.Cert, o.Key)
	}
	text := fmt.Sprintf(nginxConfig, own, listen, dir, &settings)
	if err := os.WriteFile(n.config, []byte(text), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	n.Start(t)
	return n
}

// It is one process, and runs as whoever runs the test.
const nginxConfig = `daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr warn;
events {}
http {
  default_type application/octet-stream;
  access_log off;
  client_max_body_size 0;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  server {
    listen %[2]s;
    root %[3]s;
    %[4]s
  }
}
`

// Start starts the server again on its address and folder, after a Kill.
func (n *Nginx) Start(t T) {
	t.Helper()
	n.Process = Start(t, "nginx", exec.Command(Installed(t, "nginx-light", "nginx"), "-e", "stderr", "-c", n.config))
	n.Await(t, Answers(n.URL+"/", http.StatusForbidden, http.StatusNotFound, http.StatusUnauthorized))
}
