# A virtual machine: Debian with systemd, the gateway's binary, its units and its guide. Sourced by the parts that boot one, after lib.sh.

machine_suite=trixie
machine_root=$full_dir/machine-$machine_suite
machine_packages=ca-certificates,curl,dbus,dbus-user-session,initramfs-tools,iproute2,kmod,libpam-systemd,linux-image-cloud-amd64,passwd,procps,python3,python3-venv,systemd,systemd-sysv,udev,util-linux

# machine_make: the root file system, with the Python environment that the first start would make, as the machine has no network.
machine_make() {
  need_root
  need qemu-system-x86_64 qemu-system-x86
  need mke2fs e2fsprogs
  debian_root "$machine_root" $machine_suite $machine_packages
  if [ -z "${FAREGATE:-}" ]; then
    say 'building the gateway (FAREGATE names one that is there)'
    cargo build --release --locked --package faregate-cli
    FAREGATE=${CARGO_TARGET_DIR:-target}/release/faregate
  fi
  local clone=$machine_root/root/faregate
  rm -rf "$clone" && mkdir -p "$clone/target/release" "$clone/infra/cli"
  cp -r docs "$clone/" && cp -r infra/cli/systemd "$clone/infra/cli/" && cp -r tests/full "$clone/check"
  install -m 755 "$FAREGATE" "$clone/target/release/faregate"
  say 'making the Python environment of the clusters'
  in_root "$machine_root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root FAREGATE_CACHE_DIR=/var/cache/faregate ${PIP_FIND_LINKS+PIP_FIND_LINKS="$PIP_FIND_LINKS"} \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt bash -ec '
      mkfifo /tmp/said
      /root/faregate/target/release/faregate serve --address 127.0.0.1:0 --data-dir /tmp/data >/tmp/said 2>/tmp/log &
      read -r line </tmp/said || { cat /tmp/log; exit 1; }
      echo "$line"
      kill $!
      wait $!'
  chmod 711 "$machine_root/root" # the guide's clone lies there
  mkdir -p "$machine_root/etc/systemd/system/multi-user.target.wants"
  cat > "$machine_root/etc/systemd/system/faregate-check.service" <<'UNIT'
[Unit]
After=multi-user.target systemd-user-sessions.service
[Service]
Type=oneshot
ExecStart=/root/faregate/check/machine/inside
ExecStopPost=/usr/bin/systemctl poweroff --no-block
TimeoutStartSec=infinity
UNIT
  ln -sf ../faregate-check.service "$machine_root/etc/systemd/system/multi-user.target.wants/faregate-check.service"
  ln -sf /dev/null "$machine_root/etc/systemd/system/serial-getty@ttyS0.service" # the console is the check's
  echo '/dev/vda / ext4 rw 0 1' > "$machine_root/etc/fstab"
  echo machine > "$machine_root/etc/hostname"
}

# machine_boot CHECK MEMORY [KERNEL-VERSION]: boots it, has it run machine/CHECK as root, and passes when that did.
machine_boot() {
  local check=$1 memory=$2 kernel=${3:-}
  [ -n "$kernel" ] || kernel=$(basename "$(ls -d "$machine_root"/lib/modules/* | sort -V | tail -n 1)")
  printf '#!/bin/bash\nexec >/dev/console 2>&1\n/root/faregate/check/machine/%s && echo "THE CHECK PASSED" || echo "THE CHECK FAILED"\n' "$check" > "$machine_root/root/faregate/check/machine/inside"
  chmod 755 "$machine_root/root/faregate/check/machine/inside"
  local kvm=(-accel kvm -cpu host)
  local image=$full_dir/$check.img log=$full_dir/$check.log
  say "an image of $(du -sm "$machine_root" | cut -f1) MiB, kernel $kernel, $memory MiB of memory"
  rm -f "$image"
  mke2fs -q -t ext4 -d "$machine_root" "$image" 6G
  local virtual=(-accel tcg,thread=multi -cpu max) boot=(-kernel "$machine_root/boot/vmlinuz-$kernel" -initrd "$machine_root/boot/initrd.img-$kernel")
  local plain=(-nic none -display none -monitor none -serial stdio -no-reboot) emulated=emulated
  # a kernel that finds no init says who it is and ends: so it is seen whether /dev/kvm is of use, as it may open and boot nothing
  if timeout 30 qemu-system-x86_64 "${kvm[@]}" -m 512 "${boot[@]}" "${plain[@]}" -append 'console=ttyS0 no_timer_check panic=-1 rdinit=/none' </dev/null 2>&1 | grep -q 'Linux version'; then
    virtual=("${kvm[@]}") emulated=
  else
    say '/dev/kvm does not open, or boots nothing: the processor is emulated, which is some twenty times slower'
  fi
  timeout "${MACHINE_TIMEOUT:-3600}" qemu-system-x86_64 "${virtual[@]}" -smp 2 -m "$memory" "${boot[@]}" "${plain[@]}" \
    -append "root=/dev/vda rw console=ttyS0 no_timer_check quiet loglevel=3 systemd.show_status=no $emulated" \
    -drive "file=$image,if=virtio,format=raw,cache=unsafe" </dev/null 2>&1 | tee "$log" || true
  rm -f "$image"
  grep -q 'THE CHECK PASSED' "$log" || fail "the machine's check \`$check\` (its output is in $log)"
}
