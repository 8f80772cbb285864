package nuget

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"hallmark/formats/format"
)

// splice returns the patches that put a signature into a package, in place of the one that is there: as the last file, stored
// under its name, as NuGet writes it.
func (a *archive) splice(signature []byte, at time.Time) []format.Patch {
	last, record := a.directory, a.endAt()
	if a.signature != nil {
		last, record = a.signature.header, a.signature.record
	}
	crc, size := crc32.ChecksumIEEE(signature), uint32(len(signature))
	common := binary.LittleEndian.AppendUint16(nil, 20) // version that is needed to unpack
	common = append(common, 0, 0, 0, 0)                 // flags, method
	common = binary.LittleEndian.AppendUint32(common, dosTime(at))
	for _, n := range []uint32{crc, size, size} {
		common = binary.LittleEndian.AppendUint32(common, n)
	}
	common = append(common, byte(len(signatureName)), 0, 0, 0) // lengths of name and extra field

	local := append([]byte(localMagic), common...)
	local = append(append(local, signatureName...), signature...)

	listed := append([]byte(directoryMagic), 20, 0)                 // version that made it
	listed = append(append(listed, common...), make([]byte, 10)...) // comment, disk, attributes
	listed = append(binary.LittleEndian.AppendUint32(listed, uint32(last)), signatureName...)

	directory := record - a.directory + int64(len(listed))
	listed = append(listed, a.endOf(len(a.files)+1, directory, last+int64(len(local)))...)
	return []format.Patch{
		{Section: format.Section{Offset: last, Size: a.directory - last}, Data: local},
		{Section: format.Section{Offset: record, Size: a.size - record}, Data: listed},
	}
}

// endOf returns the end of the central directory for another number of entries, and another size and place of the directory.
func (a *archive) endOf(entries int, size, at int64) []byte {
	end := a.end
	binary.LittleEndian.PutUint16(end[8:], uint16(entries))
	binary.LittleEndian.PutUint16(end[10:], uint16(entries))
	binary.LittleEndian.PutUint32(end[12:], uint32(size))
	binary.LittleEndian.PutUint32(end[16:], uint32(at))
	return end[:]
}

// dosTime returns a time as zip archives have it: in steps of two seconds, from 1980 on.
func dosTime(t time.Time) uint32 {
	t = t.UTC()
	year := min(max(t.Year(), 1980), 2107)
	date := uint32(year-1980)<<9 | uint32(t.Month())<<5 | uint32(t.Day())
	return date<<16 | uint32(t.Hour())<<11 | uint32(t.Minute())<<5 | uint32(t.Second()/2)
}
