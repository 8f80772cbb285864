package rpmfile

// A Tag names an entry of a header.
type Tag uint32

// Tags of the signature header (rpm's include/rpm/rpmtag.h, rpmSigTag_e).
const (
	SigRegion          Tag = 62
	SigDSA             Tag = 267  // OpenPGP over the main header; any algorithm, by custom what is not RSA
	SigRSA             Tag = 268  // OpenPGP over the main header
	SigSHA1            Tag = 269  // of the main header, in hexadecimal digits
	SigLongSize        Tag = 270  // Size where it does not fit
	SigLongPayloadSize Tag = 271  // PayloadSize where it does not fit
	SigSHA256          Tag = 273  // of the main header, in hexadecimal digits
	SigOpenPGP         Tag = 278  // any number of OpenPGP signatures over the main header, in base64; rpm 6
	SigSize            Tag = 1000 // of the main header and the payload
	SigPGP             Tag = 1002 // OpenPGP over main header and payload
	SigMD5             Tag = 1004 // of main header and payload
	SigGPG             Tag = 1005 // OpenPGP over main header and payload
	SigPGP5            Tag = 1006 // the same for a program that is forgotten
	SigPayloadSize     Tag = 1007 // of the payload without compression
	SigReserved        Tag = 1008 // room for a signature to come
)

// Tags of the main header (rpmTag_e).
const (
	Region            Tag = 63
	Name              Tag = 1000
	Version           Tag = 1001
	Release           Tag = 1002
	Epoch             Tag = 1003
	Summary           Tag = 1004
	Description       Tag = 1005
	BuildTime         Tag = 1006 // seconds since 1970
	BuildHost         Tag = 1007
	Size              Tag = 1009 // of the installed files
	Vendor            Tag = 1011
	License           Tag = 1014
	Packager          Tag = 1015
	Group             Tag = 1016
	URL               Tag = 1020
	Arch              Tag = 1022
	OldFileNames      Tag = 1027 // whole paths; before DirNames
	FileModes         Tag = 1030
	FileFlags         Tag = 1037
	SourceRPM         Tag = 1044 // absent in a source package
	ArchiveSize       Tag = 1046 // of the payload without compression
	ProvideName       Tag = 1047
	RequireFlags      Tag = 1048
	RequireName       Tag = 1049
	RequireVersion    Tag = 1050
	NoSource          Tag = 1051
	NoPatch           Tag = 1052
	ConflictFlags     Tag = 1053
	ConflictName      Tag = 1054
	ConflictVersion   Tag = 1055
	ChangelogTime     Tag = 1080
	ChangelogName     Tag = 1081
	ChangelogText     Tag = 1082
	ObsoleteName      Tag = 1090
	SourcePackage     Tag = 1106 // 1 in a source package
	ProvideFlags      Tag = 1112
	ProvideVersion    Tag = 1113
	ObsoleteFlags     Tag = 1114
	ObsoleteVersion   Tag = 1115
	DirIndexes        Tag = 1116
	BaseNames         Tag = 1117
	DirNames          Tag = 1118
	PayloadFormat     Tag = 1124
	LongSize          Tag = 5009
	RecommendName     Tag = 5046
	RecommendVersion  Tag = 5047
	RecommendFlags    Tag = 5048
	SuggestName       Tag = 5049
	SuggestVersion    Tag = 5050
	SuggestFlags      Tag = 5051
	SupplementName    Tag = 5052
	SupplementVersion Tag = 5053
	SupplementFlags   Tag = 5054
	EnhanceName       Tag = 5055
	EnhanceVersion    Tag = 5056
	EnhanceFlags      Tag = 5057
	PayloadDigest     Tag = 5092 // of the compressed payload, in hexadecimal digits
	PayloadDigestAlgo Tag = 5093 // a hash of OpenPGP (RFC 9580 section 9.5)
)

// A Type is the type of an entry's data.
type Type uint32

// The types. Numbers are big-endian, strings end in NUL.
const (
	Char        Type = 1
	Int8        Type = 2
	Int16       Type = 3
	Int32       Type = 4
	Int64       Type = 5
	String      Type = 6
	Binary      Type = 7
	StringArray Type = 8
	I18NString  Type = 9 // one for each locale, that of "C" first
)

// width returns the size of one value in bytes, or 0 if that is not fixed.
func (t Type) width() int {
	switch t {
	case Char, Int8, Binary:
		return 1
	case Int16:
		return 2
	case Int32:
		return 4
	case Int64:
		return 8
	}
	return 0
}
