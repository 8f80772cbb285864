package integration

import (
	"net/http"
	"strings"
	"testing"

	"hallmark/integration/world"
)

func TestStockEveryClientPushesAndPulls(t *testing.T) {
	reg := world.StartRegistry(t, world.RegistryOptions{})
	upstream := world.Record(t, reg.URL)
	for _, client := range world.Clients(t) {
		t.Run(client.Name(), func(t *testing.T) {
			upstream.Reset()
			ref := upstream.Addr + "/stock/" + client.Name() + ":1.0.0"
			if err := client.Push(t, ref); err != nil {
				t.Fatal(err)
			}
			if n := count(upstream.Requests(), http.MethodPut, "/manifests/1.0.0", http.StatusCreated); n != 1 {
				t.Errorf("the registry took the manifest %d times, want once:\n%s", n, lines(upstream.Requests()))
			}
			if err := client.Pull(t, ref); err != nil {
				t.Error(err)
			}
			if err := client.Pull(t, strings.Replace(ref, "1.0.0", "2.0.0", 1)); err == nil {
				t.Error("a tag that nobody pushed could be pulled")
			}
		})
	}
}

func TestStockMultiArch(t *testing.T) {
	reg := world.StartRegistry(t, world.RegistryOptions{})
	upstream := world.Record(t, reg.URL)
	if err := world.NewCrane(t).PushIndex(t, upstream.Addr+"/stock/index:1.0.0"); err != nil {
		t.Fatal(err)
	}
	var byDigest int
	for _, r := range upstream.Requests() {
		if r.Method == http.MethodPut && strings.Contains(r.Path, "/manifests/sha256:") {
			byDigest++
		}
	}
	if byDigest != 2 {
		t.Errorf("%d children were pushed by digest, want 2:\n%s", byDigest, lines(upstream.Requests()))
	}
}

// Every client logs in, and is told from those who may not.
func TestStockAuth(t *testing.T) {
	for _, auth := range []world.Auth{world.Basic, world.Token, world.TokenElse} {
		t.Run(string(auth), func(t *testing.T) {
			reg := world.StartRegistry(t, world.RegistryOptions{Auth: auth})
			ref := reg.Addr + "/stock/app:1.0.0"

			if err := world.NewCrane(t).Push(t, ref); !world.Denied(err) {
				t.Errorf("somebody without credentials pushes: %v", err)
			}
			wrong := world.NewCrane(t)
			wrong.Login(t, reg.Addr, world.User{Name: world.CI.Name, Password: "guessed"})
			if err := wrong.Push(t, ref); !world.Denied(err) {
				t.Errorf("somebody with a wrong password pushes: %v", err)
			}

			ci := world.NewCrane(t)
			ci.Login(t, reg.Addr, world.CI)
			if err := ci.Push(t, ref); err != nil {
				t.Fatal(err)
			}
			reader := world.NewCrane(t)
			reader.Login(t, reg.Addr, world.Reader)
			if err := reader.Pull(t, ref); err != nil {
				t.Errorf("the reader may not read: %v", err)
			}
			if auth == world.Basic {
				return // htpasswd knows who is there and not what for
			}
			if err := reader.Push(t, ref); !world.Denied(err) {
				t.Errorf("the reader pushes: %v", err)
			}
			ci.Run(t, "delete", reg.Addr+"/stock/app@"+digest(t, ci, ref))
		})
	}
}

func TestStockEveryClientLogsIn(t *testing.T) {
	clients := world.Clients(t)
	for _, auth := range []world.Auth{world.Basic, world.Token} {
		reg := world.StartRegistry(t, world.RegistryOptions{Auth: auth})
		for _, client := range clients {
			t.Run(string(auth)+"/"+client.Name(), func(t *testing.T) {
				ref := reg.Addr + "/stock/" + client.Name() + ":1.0.0"
				if err := client.Push(t, ref); !world.Denied(err) {
					t.Errorf("the client pushes before it has logged in: %v", err)
				}
				client.Login(t, reg.Addr, world.CI)
				if err := client.Push(t, ref); err != nil {
					t.Error(err)
				}
				if err := client.Pull(t, ref); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestStockRegistryComesBackAfterAKill(t *testing.T) {
	reg := world.StartRegistry(t, world.RegistryOptions{})
	crane := world.NewCrane(t)
	ref := reg.Addr + "/stock/app:1.0.0"
	if err := crane.Push(t, ref); err != nil {
		t.Fatal(err)
	}
	reg.Kill()
	if err := crane.Pull(t, ref); err == nil {
		t.Fatal("a registry that is gone answered")
	}
	reg.Start(t)
	if err := crane.Pull(t, ref); err != nil {
		t.Error(err)
	}
}
