package raw_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/raw"
)

// The shell runs with a curl and a folder for keys of the test's own.
func TestSetupKeepsTheKeysAndShowsAddresses(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal("sh is not installed: apt-get install dash")
	}
	dir := t.TempDir()
	curl := "#!/bin/sh\nwhile [ $# -gt 1 ]; do [ \"$1\" = -o ] && out=$2; shift; done\necho \"fetched $1\" >\"$out\"\n"
	if err := os.WriteFile(filepath.Join(dir, "curl"), []byte(curl), 0o700); err != nil {
		t.Fatal(err)
	}
	const odd = "https://packages.example.org/it's $(a)`b`/raw"
	text, err := open(t, raw.Defaults()).Setup(format.Site{Repository: "files", URL: odd, KeysURL: odd + "/keys"}, "curl")
	if err != nil {
		t.Fatal(err)
	}
	script := strings.ReplaceAll(string(text), "/usr/local/share/hallmark/files", dir+"/keys")
	for range 2 {
		cmd := exec.Command(shell)
		cmd.Stdin = strings.NewReader(script)
		cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, want := range []string{"curl -T FILE '" + odd + "/FOLDER/'", "gpgv --status-fd 1 --keyring " + dir + "/keys/openpgp.gpg"} {
			if !strings.Contains(string(out), want) {
				t.Errorf("the text does not show %q:\n%s", want, out)
			}
		}
	}
	for _, key := range []string{"openpgp.gpg", "files.gpg", "files.pub"} {
		got, err := os.ReadFile(filepath.Join(dir, "keys", key))
		if want := "fetched " + odd + "/keys/" + key + "\n"; err != nil || string(got) != want {
			t.Errorf("%s holds %q, want %q (%v)", key, got, want, err)
		}
	}
}
