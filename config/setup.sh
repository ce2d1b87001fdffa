# Sourced by ./run and ./test: installs what config/packages.txt names and this machine lacks.

# usage: setup_packages KIND... (build, test); with NO_INSTALL=1 it only checks.
setup_packages() {
    local kinds=" $* " missing=() kind package
    while read -r kind package _; do
        [[ $kinds == *" $kind "* ]] || continue
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done < <(grep -v '^#' config/packages.txt)
    ((${#missing[@]} == 0)) && return 0
    if [[ ${NO_INSTALL:-0} == 1 ]]; then
        echo "missing Debian packages: ${missing[*]}" >&2
        echo "install them with: sudo apt-get install ${missing[*]}" >&2
        return 1
    fi
    local as_root=()
    ((EUID == 0)) || as_root=(sudo)
    echo "installing ${#missing[@]} Debian packages: ${missing[*]}"
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# usage: setup_build PRESET; what it prints stands in build/PRESET.log.
setup_build() {
    local log=build/$1.log
    if ! { cmake --preset "$1" && cmake --build "build/$1" --parallel "$(nproc)"; } >"$log" 2>&1; then
        grep -E 'error|Error|FAILED' -A5 "$log" | head -60
        echo "the build failed; all of it: $log"
        return 1
    fi
}
