package integration

import (
	"bytes"
	"os"
	"testing"

	"hallmark/integration/world"
)

// A package carries its signature, and rpm takes nothing that lacks it when it is told to look.
func TestRPMsCarryASignature(t *testing.T) {
	t.Parallel()
	d, other := openDepot(t, packageRepositories), openDepot(t, packageRepositories)
	b, address := d.build(t, world.RPM, "1.0.0")
	signed := fetched(t, address)
	ours := world.NewRPMKeys(t, d.key(t, "rpm", "openpgp.asc"))
	must(t, ours.Check(t, signed))
	data, err := os.ReadFile(signed)
	must(t, err)
	head, tail := bytes.Clone(data), bytes.Clone(data)
	head[len(head)/4] ^= 1
	tail[len(tail)-20] ^= 1
	for what, err := range map[string]error{
		"what was uploaded, which nobody signed": ours.Check(t, b.Path),
		"a package with one bit flipped":         ours.Check(t, altered(t, signed)),
		"one with another bit flipped":           ours.Check(t, write(t, "head.rpm", string(head))),
		"one whose payload has a bit flipped":    ours.Check(t, write(t, "tail.rpm", string(tail))),
		"a package by another key":               world.NewRPMKeys(t, other.key(t, "rpm", "openpgp.asc")).Check(t, signed),
		"a package, by who has no key":           world.NewRPMKeys(t).Check(t, signed),
		"a package, by the key of sidecars":      world.NewRPMKeys(t, d.key(t, "rpm", "files.asc")).Check(t, signed),
	} {
		if err == nil {
			t.Errorf("%s is taken", what)
		}
	}
}

// What a maker has signed keeps his signature, or gets ours in its place, as the settings say.
func TestAMakersSignatureIsKeptOrReplaced(t *testing.T) {
	t.Parallel()
	maker := world.NewOpenPGP(t, "rsa3072")
	d := openDepot(t, map[string]repository{
		"unsigned": {format: "rpm"},
		"always":   {format: "rpm", settings: "{sign_packages: always}"},
		"never":    {format: "rpm", settings: "{sign_packages: never}"},
	})
	plain := world.Package{Name: "hello", Version: "1.0.0"}.Build(t, world.RPM)
	made := world.Package{Name: "hello", Version: "2.0.0"}.Build(t, world.RPM)
	maker.SignRPM(t, made.Path)
	makers := world.NewRPMKeys(t, maker.Public(t))
	must(t, makers.Check(t, made.Path))
	for name, want := range map[string]struct{ plain, made string }{
		"unsigned": {"ours", "the maker's"},
		"always":   {"ours", "ours"},
		"never":    {"none", "the maker's"},
	} {
		ours := world.NewRPMKeys(t, d.key(t, name, "openpgp.asc"))
		whose := func(file string) string {
			switch byUs, byMaker := ours.Check(t, file) == nil, makers.Check(t, file) == nil; {
			case byUs && byMaker:
				return "both"
			case byUs:
				return "ours"
			case byMaker:
				return "the maker's"
			}
			return "none"
		}
		for b, want := range map[world.Built]string{plain: want.plain, made: want.made} {
			served := fetched(t, d.putAt(t, d.address("/%s/%s", name, b.File()), b.Path))
			if has := whose(served); has != want {
				t.Errorf("sign_packages: %s: the signature in %s is %s, want %s", name, b.Version, has, want)
			}
			data, err := os.ReadFile(served)
			must(t, err)
			if same := bytes.Equal(data, b.Bytes(t)); same != (want != "ours") {
				t.Errorf("sign_packages: %s: %s has the bytes that were uploaded: %v", name, b.Version, same)
			}
		}
	}

	// dnf takes a maker's package where it has his key, and no other.
	dnf := world.NewDNF(t)
	must(t, dnf.Setup(t, d.setupText(t, "unsigned", "dnf")))
	must(t, dnf.Refresh(t))
	if err := dnf.Install(t, "hello", ""); err == nil {
		t.Error("a package by a maker whose key nobody has is taken")
	}
	dnf.Copy(t, maker.Public(t), "/root/maker.asc")
	must(t, dnf.Setup(t, "rpm --import /root/maker.asc"))
	installs(t, dnf, "", made)
}

// Each directory has an index of its own, and one text sets up all that there are.
func TestRPMDirectories(t *testing.T) {
	t.Parallel()
	d := openDepot(t, packageRepositories)
	packages := make(map[string]world.Built)
	for dir, name := range map[string]string{"el9/x86_64": "deep", "tools+more": "strange", "": "top"} {
		b := world.Package{Name: name, Version: "1.0.0", Arch: "all"}.Build(t, world.RPM)
		packages[dir] = b
		folder := d.URL + "/rpm/"
		if dir != "" {
			folder += dir + "/"
		}
		d.putAt(t, folder+b.File(), b.Path)
	}
	for _, m := range world.Managers() {
		if m.Kind != world.RPM {
			continue
		}
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			c := m.New(t)
			d.setup(t, m, c)
			must(t, c.Refresh(t))
			for _, b := range packages {
				installs(t, c, "", b)
			}
		})
	}
	// A .repo of a directory has that alone.
	dnf := world.NewDNF(t)
	must(t, dnf.Setup(t, "mkdir -p /etc/yum.repos.d\ncurl -fsSo /etc/yum.repos.d/one.repo "+d.URL+"/rpm/el9/x86_64/rpm.repo"))
	must(t, dnf.Refresh(t))
	installs(t, dnf, "", packages["el9/x86_64"])
	if err := dnf.Install(t, packages[""].Name, ""); err == nil {
		t.Error("a directory has what is in another")
	}
}
