package world

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
)

// An S3 is an S3 server, versitygw, a process of its own with one bucket, each object of which is a file.
type S3 struct {
	URL    string // http://host:port
	Addr   string // host:port
	Bucket string // the folder of its objects

	*Process
}

// What an S3 takes for credentials, and where it says that it is.
const (
	S3AccessKey = "hallmark"
	S3SecretKey = "hallmark-secret"
	s3Region    = "us-east-1"
	s3Bucket    = "hallmark"
)

// StartS3 starts an S3 server and waits until it answers.
func StartS3(t T) *S3 {
	t.Helper()
	s := &S3{Addr: FreeAddr(t), Bucket: filepath.Join(t.TempDir(), s3Bucket)}
	s.URL = "http://" + s.Addr
	if err := os.Mkdir(s.Bucket, 0o755); err != nil {
		t.Fatalf("%v", err)
	}
	s.Start(t)
	return s
}

// Start starts the server again on its address and objects, after a Kill.
func (s *S3) Start(t T) {
	t.Helper()
	cmd := exec.Command(Tool(t, "versitygw"), "--quiet", "--keep-alive", "--port", s.Addr, "--region", s3Region,
		"--access", S3AccessKey, "--secret", S3SecretKey, "posix", filepath.Dir(s.Bucket))
	s.Process = Start(t, "versitygw", cmd)
	s.Await(t, Answers(s.URL+"/", http.StatusForbidden))
}

// Storage returns the setting `storage` of a proxy that keeps its bytes here, in one line. Where its requests pass a
// Recorder, url is that one's.
func (s *S3) Storage(url string) string {
	return fmt.Sprintf("storage: {s3: {regionendpoint: %q, region: %s, bucket: %s, accesskey: %s, secretkey: %s}}\n",
		url, s3Region, s3Bucket, S3AccessKey, S3SecretKey)
}

// Parameters returns the parameters of distribution's driver for this server, which are the same.
func (s *S3) Parameters(url string) map[string]any {
	return map[string]any{
		"regionendpoint": url, "region": s3Region, "bucket": s3Bucket, "forcepathstyle": true,
		"accesskey": S3AccessKey, "secretkey": S3SecretKey,
	}
}
