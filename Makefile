# All tasks. `make run` and `make test` need the Rust toolchain only; with Chromium, node and npm
# installed, `make test` also tests the page.

.PHONY: run test bench sim torture abuse soak proxies fuzz clients fmt lint size icons static release install

# Starts the server on port 7777 of every address, with shanty.db in this directory.
run:
	cargo run --release

# The tests that must pass before a push. Without a browser, the tests of the page are skipped, with
# a message; with CI=true in the environment, a browser is installed.
test:
	tests/quiet.sh cargo test --features acme
	tests/clients.sh browser client streams offline words

# Deliveries, memory and acknowledgements, beside the least that any program would need.
bench:
	cargo bench --bench bench -- --window 8

# The simulators, for SEEDS seeds.
SEEDS ?= 100000
sim:
	SEEDS=$(SEEDS) cargo test --release --lib simulation -- --nocapture

# Kills the server, cuts its connections, and compares every client's view with the log.
KILLS ?= 200
torture:
	KILLS=$(KILLS) cargo test --release --test torture -- --nocapture

# Attacks the release build in all known ways, beside 200 well-behaved clients, and prints what
# these notice. ATTACK= names one attack.
abuse:
	LONG=1 cargo test --release --test abuse -- --nocapture

# People come and go through every door for SOAK_MINUTES; memory and descriptors must stay flat.
SOAK_MINUTES ?= 60
soak:
	SOAK_MINUTES=$(SOAK_MINUTES) cargo bench --bench soak

# The README's proxies with the README's texts, as far as they are installed: nginx, haproxy, apache2,
# caddy. Needs python3 and curl.
proxies:
	cargo build --release
	tests/proxies/run.sh

# Random inputs for every parser, for FUZZ_SECS seconds each.
FUZZ_SECS ?= 360
fuzz:
	FUZZ_SECS=$(FUZZ_SECS) cargo test --release --lib -- --nocapture --test-threads 2 \
		at_random noise damaged

# Clients from PyPI for the protocols of Piratchat and ChitChat. Needs python3 with venv, and Rust.
clients:
	tests/clients.sh

fmt:
	cargo fmt

lint:
	cargo fmt --check
	cargo clippy --all-targets --features acme -- -D warnings

# The size of each file of the page, plain and as served; their sum and its limit; and the binary.
size:
	cargo test --quiet --lib the_page_is_small -- --nocapture
	cargo build --release
	ls -l target/release/shanty

# One file that needs nothing of the system: target/static/shanty, for this machine's architecture.
# (With a target, the flags are for the program alone, and not for what builds it. The second flag: a
# static program finds no getrandom() by name at runtime, and would need /dev/urandom.)
TARGET := $(shell rustc -vV | sed -n 's/^host: //p')
static:
	RUSTFLAGS='-C target-feature=+crt-static --cfg getrandom_backend="linux_getrandom"' \
		cargo build --release --locked --features acme --target $(TARGET) --target-dir target/static
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
	cargo build --release --features acme
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

# The page's icons as PNG, for systems without SVG. The maskable icon, which systems cut to a shape,
# has no round corners, and a wider margin. Needs Debian's librsvg2-bin, pngquant and zopfli.
web := src/protocol/web
icons:
	rsvg-convert -w 192 $(web)/icon.svg | pngquant 8 > $(web)/icon-192.png
	rsvg-convert -w 512 $(web)/icon.svg | pngquant 6 > $(web)/icon-512.png
	sed 's/viewBox="[^"]*"/viewBox="-7 -7 78 78"/; s/<rect [^>]* fill/<rect x="-7" y="-7" width="78" height="78" fill/' \
		$(web)/icon.svg | rsvg-convert -w 192 | pngquant 8 > $(web)/icon-mask.png
	for name in 192 512 mask; do \
		zopflipng -y -m $(web)/icon-$$name.png $(web)/icon-$$name.png; \
	done
