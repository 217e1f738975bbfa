# The verbs of pg_cordon. Each installs what it misses; see scripts/lib.sh for what that is.
#
#   make demo      see it work, on a throw-away server
#   make test      every test, on throw-away servers (FILTER=name for some)
#                  PG=17 and PG=18 build that PostgreSQL from source, once
#   make test-upgrade   pg_upgrade with sealed data, from 15 to 17
#   make test-postgres  PostgreSQL's own suites, with the extension and without: the same results
#   make install   build and install into a PostgreSQL: make install PG_CONFIG=/usr/lib/postgresql/15/bin/pg_config
#   make bench     measure it beside plain text and pgcrypto
#                  with CPU=native for this machine's processor alone, which is faster; for install as well
#   make lint      formatting and lints
#   make package   the files of an installation, as a tar archive and as a Debian package
#   make release   keep what this version leaves behind, to test later ones as upgrades: docs/RELEASING.md

export PG ?= 15

.PHONY: help demo test test-upgrade test-postgres install bench lint package release

help:
	@sed -n 's/^#   //p' Makefile

demo test test-upgrade test-postgres install bench lint package release:
	@scripts/$@
