package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// driverS3 is the driver with a secret among its parameters.
const driverS3 = "s3"

// What S3 allows for the parts of a file: their least size and their number.
const (
	minPart  = 5 << 20
	maxPart  = 5 << 30
	maxParts = 10_000
)

// A parameter returns what is wrong with a value, or "".
type parameter func(value any) string

func aText(value any) string {
	if text, ok := value.(string); !ok || text == "" {
		return "is no text: put it in quotes, or leave it out"
	}
	return ""
}

func aFlag(value any) string {
	if _, ok := value.(bool); !ok {
		return "is neither true nor false: write one of these, without quotes"
	}
	return ""
}

func aNumber(from, to int) parameter {
	return func(value any) string {
		if n, ok := value.(int); !ok || n < from || n > to {
			return fmt.Sprintf("is no number from %d to %d", from, to)
		}
		return ""
	}
}

func aSecret(value any) string {
	switch secret, ok := value.(Secret); {
	case !ok || secret == "":
		return aText(value)
	case string(secret) == secret.String():
		return "is what config print writes instead of a secret: write the secret itself"
	}
	return ""
}

func aServer(value any) string {
	text, _ := value.(string)
	if _, err := parseOrigin(text); err != nil {
		return err.Error()
	}
	return ""
}

func noRedirect(any) string {
	return "is for redirects to S3, which are never made: clients need only reach the proxy. Remove it"
}

// drivers are the storage drivers with the parameters that they take, in their
// own syntax. They themselves ignore what they do not know.
func drivers() map[string]map[string]parameter {
	return map[string]map[string]parameter{
		"filesystem": {
			"rootdirectory": func(value any) string {
				if folder, ok := value.(string); !ok || folder == "" {
					return "is no folder: write its name as text, such as /srv/hallmark"
				}
				return ""
			},
			"maxthreads": func(value any) string {
				if n, ok := value.(int); !ok || n < 1 {
					return "is no number of threads: write a whole number, such as 100"
				}
				return ""
			},
		},
		"inmemory": {},
		driverS3: {
			"bucket": aText, "region": aText, "regionendpoint": aServer, "rootdirectory": aText,
			"accesskey": aText, "secretkey": aSecret,
			"forcepathstyle": aFlag, "secure": aFlag, "skipverify": aFlag, "v4auth": aFlag,
			"usedualstack": aFlag, "accelerate": aFlag, "usefipsendpoint": aFlag,
			"encrypt": aFlag, "keyid": aText, "storageclass": aText, "objectacl": aText, "useragent": aText,
			"chunksize": aNumber(minPart, maxPart), "multipartcopychunksize": aNumber(minPart, maxPart),
			"multipartcopymaxconcurrency": aNumber(1, 1000), "multipartcopythresholdsize": aNumber(0, maxPart),
			"redirectendpoint": noRedirect,
		},
	}
}

func (k *checker) checkStorage() {
	given := slices.Sorted(maps.Keys(k.Storage))
	if len(given) > 1 {
		k.fault("storage", "has the drivers %s: keep one of them", strings.Join(given, ", "))
	}
	for _, driver := range given {
		at := place("storage").key(driver)
		known, ok := drivers()[driver]
		if !ok {
			names := slices.Sorted(maps.Keys(drivers()))
			k.fault(at, "is a storage driver that this version does not have%s: write %s", guess(driver, names), oneOfThese(names))
			continue
		}
		k.checkParameters(at, driver, known)
	}
	if parameters, ok := k.Storage[driverS3]; ok {
		k.checkS3("storage/"+driverS3, parameters)
	}
}

// checkParameters checks each parameter of a driver by itself.
func (k *checker) checkParameters(at place, driver string, known map[string]parameter) {
	parameters := k.Storage[driver]
	if len(known) == 0 && len(parameters) > 0 {
		k.fault(at, "has parameters, and %s takes none: write %s: {}", driver, driver)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		check, ok := known[name]
		if !ok {
			k.fault(at.key(name), "is no parameter of %s%s", driver, meant(name, slices.Sorted(maps.Keys(known))))
		} else if wrong := check(parameters[name]); wrong != "" {
			k.fault(at.key(name), "%s", wrong)
		}
	}
}

// checkS3 checks what the parameters of S3 have to do with each other.
func (k *checker) checkS3(at place, parameters map[string]any) {
	if parameters["bucket"] == nil {
		k.fault(at.key("bucket"), "is missing: name the bucket")
	}
	if parameters["region"] == nil {
		k.fault(at.key("region"), "is missing: write the bucket's region, such as us-east-1; servers other than Amazon's take most words")
	}
	for one, other := range map[string]string{"accesskey": "secretkey", "secretkey": "accesskey"} {
		if parameters[one] == nil && parameters[other] != nil { // the driver would ignore it
			k.fault(at.key(one), "is missing: give both accesskey and secretkey, or neither, to take what the environment or the machine's role has")
		}
	}
	if part, ok := parameters["chunksize"].(int); ok && part >= minPart && int64(k.Limits.Upload) > int64(part)*maxParts {
		k.fault(at.key("chunksize"), "is too small for limits.upload, %v, in %d parts, which is all that S3 has: write %d or more",
			k.Limits.Upload, maxParts, (int64(k.Limits.Upload)+maxParts-1)/maxParts)
	}
}
