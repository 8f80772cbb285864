package main

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
)

var debGoods = goods{format: "debian", title: "Debian", folder: "stable/main/", make: makeDeb, large: largeDeb}

// makeDeb returns a binary package, deb(5), whose stanza in the index has some 900 bytes.
func makeDeb(number, release int) pkg {
	p := pkg{name: nameOf(number), version: fmt.Sprintf("1.%d-%d", number%97, release)}
	p.file = p.name + "_" + p.version + "_" + runtime.GOARCH + ".deb"
	control := gzipped(tarred(true, entry{"./control", []byte(debControl(p, number, release))}))
	data := gzipped(tarred(true, entry{"./usr/share/doc/" + p.name + "/copyright", []byte(p.name + " is free\n")}))
	var b bytes.Buffer
	b.WriteString("!<arch>\n")
	for _, m := range []entry{{"debian-binary", []byte("2.0\n")}, {"control.tar.gz", control}, {"data.tar.gz", data}} {
		b.WriteString(arHeader(m.name, int64(len(m.data))))
		b.Write(m.data)
		if len(m.data)%2 == 1 {
			b.WriteByte('\n')
		}
	}
	p.data = b.Bytes()
	return p
}

func debControl(p pkg, number, release int) string {
	r := chance(number, release)
	var depends []string
	for range 9 {
		depends = append(depends, fmt.Sprintf("lib%s%d (>= %d.%d)", text(r, 1, ""), r.IntN(9), r.IntN(9), r.IntN(30)))
	}
	var long strings.Builder
	for range 5 {
		long.WriteString(" " + text(r, 9, " ") + "\n")
	}
	return fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: The Bench Team <%s@lists.example.org>\nInstalled-Size: %d\n"+
		"Depends: %s\nSection: %s\nPriority: optional\nMulti-Arch: foreign\nHomepage: https://www.example.org/%s/%s\nDescription: %s\n%s",
		p.name, p.version, runtime.GOARCH, text(r, 2, "-"), r.IntN(100_000), strings.Join(depends, ", "), text(r, 1, ""), text(r, 1, ""), p.name,
		text(r, 6, " "), long.String())
}

// largeDeb returns a package whose content is not compressed.
func largeDeb(size int64) (file string, content io.Reader, length int64) {
	p := pkg{name: "bench-large", version: "1.0-1"}
	control := gzipped(tarred(true, entry{"./control", []byte(debControl(p, 0, 0))}))
	head, tail := tarAround("./usr/share/bench-large/noise", size)
	inner := int64(len(head)+len(tail)) + size
	var b bytes.Buffer
	b.WriteString("!<arch>\n" + arHeader("debian-binary", 4) + "2.0\n" + arHeader("control.tar.gz", int64(len(control))))
	b.Write(control)
	b.WriteString("\n"[:len(control)%2] + arHeader("data.tar", inner))
	b.Write(head)
	length = int64(b.Len()) + size + int64(len(tail))
	return p.name + "_" + p.version + "_" + runtime.GOARCH + ".deb", io.MultiReader(&b, noise(size), bytes.NewReader(tail)), length
}

func arHeader(name string, size int64) string {
	return fmt.Sprintf("%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, 1_700_000_000, 0, 0, "100644", size)
}
