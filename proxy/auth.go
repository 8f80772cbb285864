package proxy

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/time/rate"

	"hallmark/proxy/config"
	"hallmark/proxy/oci"
)

const (
	remembered   = 5 * time.Minute // how long a checked password is known without bcrypt
	maxKnown     = 10_000          // passwords known, and addresses watched
	maxPassword  = 72              // bytes; bcrypt reads no more, and what it would not read must not pass
	guessBurst   = 20              // wrong passwords in a row from one address
	guessEvery   = 3 * time.Second // and then one in so long
	parallelHash = 2               // passwords that are checked at once
)

// adminUser is who the commands of this program are to a running server. Whoever can read the token in the data folder
// can do anything to the data anyway.
const adminUser = "_admin"

// authenticator checks basic credentials against an htpasswd file, which is read again when it changes. It is safe for
// concurrent use.
type authenticator struct {
	path  string
	rules *config.Auth
	admin string // the password of adminUser
	slot  chan struct{}
	key   [32]byte // of the process: passwords are remembered as their HMAC

	mu      sync.Mutex
	users   map[string][]byte // name to bcrypt hash
	decoy   []byte            // a hash that no password has, as costly as the others
	stamp   time.Time         // of the file
	looked  time.Time
	known   map[[32]byte]time.Time
	guesses map[string]*rate.Limiter
}

func newAuthenticator(c *config.Auth, admin string) (*authenticator, error) {
	a := &authenticator{path: c.Htpasswd, rules: c, admin: admin, slot: make(chan struct{}, parallelHash)}
	rand.Read(a.key[:])
	return a, a.reload()
}

// reload reads the file if it has changed. On an error the users stay as they were.
func (a *authenticator) reload() error {
	info, err := os.Stat(a.path)
	if err != nil {
		return fmt.Errorf("auth.htpasswd: %w", err)
	}
	if info.ModTime().Equal(a.stamp) {
		return nil
	}
	data, err := os.ReadFile(a.path)
	if err != nil {
		return fmt.Errorf("auth.htpasswd: %w", err)
	}
	users, cost, err := parseHtpasswd(a.path, data)
	if err != nil {
		return err
	}
	var secret [24]byte
	rand.Read(secret[:])
	decoy, err := bcrypt.GenerateFromPassword(secret[:], cost)
	if err != nil {
		return err
	}
	a.users, a.decoy, a.stamp = users, decoy, info.ModTime()
	a.known, a.guesses = make(map[[32]byte]time.Time), make(map[string]*rate.Limiter)
	return nil
}

// parseHtpasswd reads lines name:hash. It returns the highest cost among the hashes.
func parseHtpasswd(path string, data []byte) (users map[string][]byte, cost int, err error) {
	users, cost = make(map[string][]byte), bcrypt.MinCost
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, hash, ok := strings.Cut(line, ":")
		if !ok || name == "" {
			return nil, 0, fmt.Errorf("%s:%d: a line is name:hash; make one with: htpasswd -nB NAME", path, n)
		}
		c, err := bcrypt.Cost([]byte(hash))
		if err != nil {
			return nil, 0, fmt.Errorf("%s:%d: the password of %s is not hashed with bcrypt; make the line with: htpasswd -nB %s", path, n, name, name)
		}
		if _, twice := users[name]; twice {
			return nil, 0, fmt.Errorf("%s:%d: the user %s stands here twice; remove one line", path, n, name)
		}
		if name == config.Anonymous || name == config.Everyone || name == adminUser {
			return nil, 0, fmt.Errorf("%s:%d: %s has a meaning of its own here; give the user another name", path, n, name)
		}
		users[name], cost = []byte(hash), max(cost, c)
	}
	return users, cost, lines.Err()
}

// authenticate returns the user that a request names, "" if it names nobody. Wrong credentials are an *oci.Error: 401,
// or 429 after too many. How long it takes says nothing of which names exist.
func (a *authenticator) authenticate(req *http.Request) (string, error) {
	if req.Header.Get("Authorization") == "" {
		return "", nil
	}
	user, password, ok := req.BasicAuth()
	if !ok || len(password) > maxPassword {
		return "", a.challenge()
	}
	if user == adminUser && subtle.ConstantTimeCompare([]byte(password), []byte(a.admin)) == 1 {
		return adminUser, nil
	}
	mac := hmac.New(sha256.New, a.key[:])
	fmt.Fprintf(mac, "%d:%s%s", len(user), user, password)
	sum := [32]byte(mac.Sum(nil))

	hash, exists, done, err := a.lookUp(user, sum)
	if err != nil || done {
		return user, err
	}
	address, _, _ := net.SplitHostPort(req.RemoteAddr)
	if !a.mayGuess(address) {
		return "", &oci.Error{Status: http.StatusTooManyRequests, Code: oci.CodeTooManyRequests,
			Message: "too many wrong passwords from your address; wait a minute", Header: http.Header{"Retry-After": {"60"}}}
	}
	select {
	case a.slot <- struct{}{}:
		defer func() { <-a.slot }()
	case <-req.Context().Done():
		return "", req.Context().Err()
	}
	if bcrypt.CompareHashAndPassword(hash, []byte(password)) != nil || !exists {
		a.wrong(address)
		return "", a.challenge()
	}
	a.remember(sum)
	return user, nil
}

// allows reports whether a user, "" for nobody, has a right on an image.
func (a *authenticator) allows(user, right, repository, image string) bool {
	return user == adminUser || a.rules.Allows(user, right, repository, image)
}

// lookUp returns the hash to compare with, or done if the password was checked a short while ago.
func (a *authenticator) lookUp(user string, sum [32]byte) (hash []byte, exists, done bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := time.Now(); now.Sub(a.looked) > time.Second {
		a.looked = now
		if err := a.reload(); err != nil {
			return nil, false, false, err // fail closed: a file that cannot be read lets nobody in
		}
	}
	if until, ok := a.known[sum]; ok && time.Now().Before(until) {
		return nil, true, true, nil
	}
	hash, exists = a.users[user]
	if !exists {
		hash = a.decoy
	}
	return hash, exists, false, nil
}

// permit returns an error if a user, "" for nobody, does not have the access to an image or a path.
func (a *authenticator) permit(user string, access oci.Access, repo *Repository, image string) error {
	switch {
	case a.allows(user, string(access), repo.Name, image):
		return nil
	case user == "":
		return a.challenge()
	}
	return oci.Errorf(http.StatusForbidden, oci.CodeDenied, "%s may not %s %s", user, access, cmp.Or(image, "the repository "+repo.Name))
}

func (a *authenticator) remember(sum [32]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) >= maxKnown {
		clear(a.known)
	}
	a.known[sum] = time.Now().Add(remembered)
}

// mayGuess reports whether an address has not sent too many wrong passwords lately.
func (a *authenticator) mayGuess(address string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.guesses[address]
	return l == nil || l.Tokens() >= 1
}

func (a *authenticator) wrong(address string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.guesses) >= maxKnown {
		clear(a.guesses)
	}
	l := a.guesses[address]
	if l == nil {
		l = rate.NewLimiter(rate.Every(guessEvery), guessBurst)
		a.guesses[address] = l
	}
	l.Allow()
}

// challenge is the answer to missing or wrong credentials, in the form that docker understands.
func (a *authenticator) challenge() error {
	return &oci.Error{
		Status: http.StatusUnauthorized, Code: oci.CodeUnauthorized,
		Message: "authentication required: log in with a user and password that this registry knows",
		Header:  http.Header{"Www-Authenticate": {`Basic realm="Hallmark", charset="UTF-8"`}},
	}
}
