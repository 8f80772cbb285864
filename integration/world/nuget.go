package world

import (
	"archive/zip"
	"bytes"
	"fmt"
	"path"
	"strings"
)

// NuGet is nuget.exe, on mono.
type NuGet struct{ *Machine }

// nugetWork is where the client makes and unpacks packages.
const nugetWork = "/root/work"

// NewNuGet returns a nuget.exe whose configuration has no source.
func NewNuGet(t T) *NuGet {
	t.Helper()
	Installed(t, "mono-runtime", "mono")
	n := &NuGet{NewMachine(t)}
	n.mustSetup(t, "mkdir -p "+nugetWork+"\nrm -rf /root/.nuget /root/.config/NuGet /root/.local/share/NuGet\n"+
		"ln -s "+Tool(t, "nuget")+" /usr/local/bin/nuget\nnuget sources remove -Name nuget.org\n")
	return n
}

// nuspec says what is in a package. The file that it brings says its id and version.
const nuspec = `<?xml version="1.0"?>
<package>
  <metadata>
    <id>%s</id>
    <version>%s</version>
    <authors>somebody</authors>
    <description>Says hello</description>
    %s
  </metadata>
</package>
`

// NuGetPackage makes a package, as nuget pack does, which takes long on mono. Metadata are more elements of its .nuspec.
func NuGetPackage(t T, id, version, metadata string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range map[string]string{
		id + ".nuspec": fmt.Sprintf(nuspec, id, version, metadata), "content/content.txt": id + " " + version + "\n",
		"_rels/.rels": "<Relationships/>", "[Content_Types].xml": "<Types/>",
	} {
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write([]byte(text))
		}
		if err != nil {
			t.Fatalf("%v", err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatalf("%v", err)
	}
	return b.Bytes()
}

// Pack makes a package by nuget pack.
func (n *NuGet) Pack(t T, id, version string) []byte {
	t.Helper()
	n.mustSetup(t, fmt.Sprintf("cd %s\nprintf '%%s %%s\\n' %[2]s %[3]s > content.txt\ncat > %[2]s.nuspec <<'end'\n%[4]send\nnuget pack %[2]s.nuspec -NoPackageAnalysis\n",
		nugetWork, id, version, strings.Replace(fmt.Sprintf(nuspec, id, version, ""), "</metadata>", `</metadata><files><file src="content.txt" target="content" /></files>`, 1)))
	return n.Read(t, path.Join(nugetWork, id+"."+version+".nupkg"))
}

// Read returns a file of the machine.
func (n *NuGet) Read(t T, file string) []byte {
	t.Helper()
	root := n.Root(t)
	defer root.Close()
	data, err := root.ReadFile(strings.TrimPrefix(file, "/"))
	if err != nil {
		t.Fatalf("%v", err)
	}
	return data
}

// Push pushes a package with an API key, and returns what the client says.
func (n *NuGet) Push(t T, nupkg []byte, key, source string) (string, error) {
	t.Helper()
	root := n.Root(t)
	defer root.Close()
	const file = nugetWork + "/push.nupkg"
	if err := root.WriteFile(strings.TrimPrefix(file, "/"), nupkg, 0o644); err != nil {
		t.Fatalf("%v", err)
	}
	return n.Command("nuget", "push").Try(t, file, key, "-Source", source, "-NonInteractive")
}

// Install installs a package with its dependencies; an empty version is the newest. The client keeps nothing of what it has
// fetched before.
func (n *NuGet) Install(t T, id, version, source string) error {
	t.Helper()
	args := []string{id, "-OutputDirectory", path.Join(nugetWork, "packages"), "-Source", source, "-NonInteractive", "-DirectDownload", "-NoCache"}
	if version != "" {
		args = append(args, "-Version", version)
	}
	n.mustSetup(t, "rm -rf /root/.local/share/NuGet /root/.nuget/packages")
	_, err := n.Command("nuget", "install").Try(t, args...)
	return err
}

// Remove removes what is installed.
func (n *NuGet) Remove(t T) {
	t.Helper()
	n.mustSetup(t, "rm -rf "+nugetWork+"/packages")
}

// Installed returns a package as it came, and nil if that version is not installed. What is unpacked of it must be its own.
func (n *NuGet) Installed(t T, id, version string) []byte {
	t.Helper()
	folder := path.Join(nugetWork, "packages", id+"."+version)
	if _, err := n.Command("test").Try(t, "-d", folder); err != nil {
		return nil
	}
	if says := n.Read(t, path.Join(folder, "content", "content.txt")); !bytes.Equal(says, []byte(id+" "+version+"\n")) {
		t.Fatalf("what is unpacked of %s %s says %q", id, version, says)
	}
	return n.Read(t, path.Join(folder, id+"."+version+".nupkg"))
}
