addSbtPlugin("com.github.sbt" % "sbt-pgp" % "2.3.1")
