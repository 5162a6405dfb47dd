# Everything that one does with Shanty. `make run` needs nothing but the Rust toolchain, and so does
# `make test`; it tests the page, too, where there are Chromium, node and npm.

.PHONY: run test bench sim torture abuse fuzz clients fmt lint size icons static release install

# Starts it on port 7777 of every address, with shanty.db in this directory.
run:
	cargo run --release

# What must pass before anything is pushed. The page in a browser is left out, and that is said, where
# there is none; with CI=true in the environment it is installed.
test:
	tests/quiet.sh cargo test
	tests/clients.sh browser client streams offline words

# Deliveries, memory and acknowledgements, beside what any program would have to pay.
bench:
	cargo bench --bench bench -- --window 8

# The simulators, for as many seeds as one has patience for.
SEEDS ?= 100000
sim:
	SEEDS=$(SEEDS) cargo test --release --lib simulation -- --nocapture

# Kills the server, cuts its connections, and compares what everybody has heard with the log.
KILLS ?= 200
torture:
	KILLS=$(KILLS) cargo test --release --test torture -- --nocapture

# Attacks the released server in every way that is known, beside 200 well-behaved clients, and prints
# what those notice. ATTACK= names one of them.
abuse:
	LONG=1 cargo test --release --test abuse -- --nocapture

# Inputs at random for every parser, so many seconds for each.
FUZZ_SECS ?= 360
fuzz:
	FUZZ_SECS=$(FUZZ_SECS) cargo test --release --lib -- --nocapture --test-threads 2 \
		at_random noise damaged

# Real clients of the seeds' protocols, of PyPI: python3 with venv, and Rust.
clients:
	tests/clients.sh

fmt:
	cargo fmt

lint:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings

# Each file of the page, plain and as it is served, their sum and what it may be; and the binary.
size:
	cargo test --quiet --lib the_page_is_small -- --nocapture
	cargo build --release
	ls -l target/release/shanty

# One file that needs nothing of the system: target/static/shanty, for this machine's architecture.
# (With a target, the flags are for the program alone, and not for what builds it.)
TARGET := $(shell rustc -vV | sed -n 's/^host: //p')
static:
	RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --locked --target $(TARGET) \
		--target-dir target/static
	cp target/static/$(TARGET)/release/shanty target/static/shanty

# What is given to others, in target/dist: that file, its checksum, and what is in it (CycloneDX).
release: static
	rm -rf target/dist && mkdir -p target/dist
	cp target/static/shanty target/dist/shanty-$(TARGET)
	packaging/sbom.sh > target/dist/shanty-$(TARGET).cdx.json
	cd target/dist && sha256sum shanty-* > SHA256SUMS && cat SHA256SUMS && ls -l

# The program, its manual, completions and the units of systemd. An existing configuration stays.
PREFIX ?= /usr/local
install:
	cargo build --release
	install -Dm755 target/release/shanty $(DESTDIR)$(PREFIX)/bin/shanty
	install -Dm644 packaging/shanty.1 $(DESTDIR)$(PREFIX)/share/man/man1/shanty.1
	install -Dm644 packaging/completions/shanty.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/shanty
	install -Dm644 packaging/completions/shanty.fish \
		$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/shanty.fish
	install -Dm644 packaging/completions/_shanty $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_shanty
	install -d $(DESTDIR)/etc/systemd/system
	for unit in service socket; do \
		sed 's:/usr/local:$(PREFIX):' packaging/shanty.$$unit \
			> $(DESTDIR)/etc/systemd/system/shanty.$$unit; \
	done
	test -e $(DESTDIR)/etc/shanty/shanty.toml || \
		install -Dm644 packaging/shanty.toml $(DESTDIR)/etc/shanty/shanty.toml

# The page's icons as pictures, for those who take no SVG. The one that systems cut to their own shape
# has no round corners and more around it. Takes Debian's librsvg2-bin, pngquant and zopfli.
web := src/protocol/web
icons:
	rsvg-convert -w 192 $(web)/icon.svg | pngquant 8 > $(web)/icon-192.png
	rsvg-convert -w 512 $(web)/icon.svg | pngquant 6 > $(web)/icon-512.png
	sed 's/viewBox="[^"]*"/viewBox="-7 -7 78 78"/; s/<rect [^>]* fill/<rect x="-7" y="-7" width="78" height="78" fill/' \
		$(web)/icon.svg | rsvg-convert -w 192 | pngquant 8 > $(web)/icon-mask.png
	for name in 192 512 mask; do \
		zopflipng -y -m $(web)/icon-$$name.png $(web)/icon-$$name.png; \
	done
