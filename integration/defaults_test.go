package integration

import (
	"path/filepath"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// With the keys and settings that there are without a config file, three commands bring a package of Debian's own to a
// machine. And every package manager takes packages that are uploaded by curl: for its own architecture, for every one,
// with a name and a version that must be escaped in an address.
func TestDefaultsServeEveryPackageManager(t *testing.T) {
	t.Parallel()
	proxy := world.StartProxy(t, world.ProxyOptions{})
	t.Run("three commands", func(t *testing.T) { threeCommands(t, proxy.URL) })
	uploaded := make(map[world.Kind][]world.Built)
	for kind, folder := range map[world.Kind]string{
		world.Deb: "debian/stable/main/", world.RPM: "rpm/", world.Alpine: "alpine/", world.Arch: "arch/",
	} {
		for _, p := range []world.Package{
			{Name: "greeting", Version: "1.0.0"},
			{Name: "everywhere", Version: "1.0.0", Arch: "all"},
			{Name: "libgreeting++", Version: "1.2.0~rc.1+git.3"},
		} {
			if kind == world.Alpine && p.Name == "libgreeting++" {
				p.Version = "1.2.0_rc1" // apk knows no other versions
			}
			b := p.Build(t, kind)
			world.NewCurl(t).Run(t, "--upload-file", b.Path, proxy.URL+"/"+folder)
			uploaded[kind] = append(uploaded[kind], b)
		}
	}
	for _, m := range world.Managers() {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			c := m.New(t)
			must(t, c.Setup(t, "curl -fsS '"+proxy.URL+"/-/setup/"+repositoryOf(m.Kind)+"?client="+m.Name+"' | sh"))
			must(t, c.Refresh(t))
			for _, b := range uploaded[m.Kind] {
				must(t, c.Install(t, b.Name, ""))
				if c.Installed(t, b.Name) == "" {
					t.Errorf("%s is not installed", filepath.Base(b.Path))
				}
			}
		})
	}
}

func threeCommands(t *testing.T, address string) {
	apt := world.NewAPT(t)
	apt.Copy(t, world.FromDebian(t, "hello"), "/root/hello.deb")
	must(t, apt.Setup(t, strings.ReplaceAll(`set -e
cd /root
curl -T hello.deb http://127.0.0.1:8080/debian/stable/main/
curl -s http://127.0.0.1:8080/-/setup/debian?client=apt | sh && apt-get install hello
`, "http://127.0.0.1:8080", address)))
	if out := apt.Command("hello").Run(t); !strings.Contains(out, "Hello, world!") {
		t.Errorf("it says %q", out)
	}
	must(t, apt.Remove(t, "hello"))
}
