# Entry of the image in 32-bit protected mode, from QEMU's -kernel (PVH) or from a multiboot2
# loader, and the way from there to 64-bit Rust.
#
# A multiboot 1 header would be in the way: QEMU looks for one before it looks for the PVH note,
# and then refuses a 64-bit ELF.

.section .boot.header, "a"
.balign 8
multiboot2_header:
    .long 0xe85250d6                    # magic
    .long 0                             # i386, protected mode
    .long multiboot2_header_end - multiboot2_header
    .long 0x100000000 - (0xe85250d6 + (multiboot2_header_end - multiboot2_header))
    .short 0, 0                         # end of tags
    .long 8
multiboot2_header_end:

# XEN_ELFNOTE_PHYS32_ENTRY. QEMU reads eight bytes of a 64-bit ELF's note, and expects the
# name padded to the alignment of the segment.
.section .note.pvh, "a", @note
.balign 4
    .long 4, 8, 18
    .asciz "Xen"
    .quad boot_entry

.section .boot.text, "ax"
.code32
.global boot_entry
boot_entry:
    cli
    cld
    mov esi, eax                        # multiboot2's magic, or whatever PVH leaves here
    mov ebp, ebx                        # address of the loader's information

    # After a reset memory is not zero.
    mov edi, offset bss_start
    mov ecx, offset bss_end
    sub ecx, edi
    shr ecx, 2
    xor eax, eax
    rep stosd

    mov esp, offset boot_stack_top

    # Identity map of the first 4 GiB in pages of 2 MiB.
    mov dword ptr [boot_pml4], offset boot_pdpt + 3
    mov eax, offset boot_directories + 3
    xor ecx, ecx
2:  mov dword ptr [boot_pdpt + ecx * 8], eax
    add eax, 4096
    inc ecx
    cmp ecx, 4
    jb 2b
    mov eax, 0x83                       # present, writable, 2 MiB
    xor ecx, ecx
3:  mov dword ptr [boot_directories + ecx * 8], eax
    add eax, 0x200000
    inc ecx
    cmp ecx, 2048
    jb 3b

    mov eax, offset boot_pml4
    mov cr3, eax
    mov eax, 0x620                      # PAE, OSFXSR, OSXMMEXCPT
    mov cr4, eax
    mov ecx, 0xc0000080                 # EFER
    rdmsr
    or eax, 0x100                       # long mode
    wrmsr
    mov eax, cr0
    and eax, 0x9ffffff3                 # caches on, no emulated or switched-away FPU
    or eax, 0x80010003                  # paging, write protection, monitor coprocessor, protected
    mov cr0, eax
    lgdt [gdt_pointer]
    .byte 0xea                          # far jump
    .long boot_entry_64
    .short 8

.code64
boot_entry_64:
    mov ax, 16
    mov ds, ax
    mov es, ax
    mov ss, ax
    xor eax, eax
    mov fs, ax
    mov gs, ax
    mov rsp, offset boot_stack_top
    xor edx, edx
    mov edi, esi
    mov esi, ebp
    xor ebp, ebp
    call main
    ud2

.section .data.boot, "aw"
.balign 8
.global gdt
gdt:
    .quad 0
    .quad 0x00af9a000000ffff            # 8: code, 64-bit
    .quad 0x00cf92000000ffff            # 16: data
    .quad 0, 0                          # 24: task state, filled in by interrupts.rs
gdt_end:
gdt_pointer:
    .short gdt_end - gdt - 1
    .long gdt

.section .bss.boot, "aw", @nobits
.balign 4096
.global boot_pml4
boot_pml4:
    .skip 4096
boot_pdpt:
    .skip 4096
boot_directories:
    .skip 4 * 4096
boot_stack:
    .skip 64 * 1024
boot_stack_top:
