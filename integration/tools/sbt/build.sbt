// Pins sbt, with sbt-pgp, and is the project that the tests publish.
organization := "com.example"
name := "greeter"
version := "1.0"
crossPaths := false
autoScalaLibrary := false
publishMavenStyle := true
// Without this, sbt-pgp 2.3 finds no configuration to look for signatures in.
PgpKeys.updatePgpSignatures / PgpKeys.signaturesModule := (PgpKeys.updatePgpSignatures / PgpKeys.signaturesModule).value.copy(configurations = ivyConfigurations.value)
