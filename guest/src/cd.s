# How the image starts from a CD: what a BIOS loads as an El Torito image without emulation, in real
# mode at 0x7c00, with the image itself behind it. It asks the BIOS for the memory map, puts the
# image where it belongs and enters it as a multiboot2 loader does.
#
# No part of the running image: the section is not loaded, whoever makes a CD takes it out of the
# file, fills in the numbers of `cd_image` and puts the image behind it. Addresses are computed by
# the assembler, for nothing relocates this.

.set CD_BASE, 0x7c00                    # where a BIOS puts it
.set CD_INFORMATION, 0x1000             # multiboot2's information; nobody else uses that
.set CD_ENTRY_BYTES, 24
.set CD_MOST_ENTRIES, 128               # it ends below the image

.section .cd, "", @progbits
.code16
cd:
    jmp cd_start
    .balign 4
cd_image:
    .long 0                             # bytes of the image, whole double words
    .long 0                             # where it belongs
    .long 0                             # its entry
    .balign 4
cd_gdt:
    .quad 0
    .quad 0x00cf9a000000ffff            # 8: code, 32-bit
    .quad 0x00cf92000000ffff            # 16: data
cd_gdt_end:
cd_gdt_pointer:
    .short cd_gdt_end - cd_gdt - 1
    .long cd_gdt - cd + CD_BASE

.set CD_IMAGE, cd_image - cd + CD_BASE
.set CD_GDT_POINTER, cd_gdt_pointer - cd + CD_BASE

cd_start:
    cli
    cld
    .byte 0xea                          # far jump: the segment may be 0 or 0x7c0
    .short cd_here - cd + CD_BASE
    .short 0
cd_here:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, CD_BASE
    in al, 0x92                         # address line 20
    or al, 2
    and al, 0xfe
    out 0x92, al

    # The memory map, as multiboot2 has it: length and nothing; tag 6 with its length, the length
    # of an entry and its version; entries, as int 15h gives them; the last tag.
    mov di, CD_INFORMATION + 24
    xor ebx, ebx
    mov bp, CD_MOST_ENTRIES
2:  mov eax, 0xe820
    mov edx, 0x534d4150                 # `SMAP`
    mov ecx, CD_ENTRY_BYTES
    int 0x15
    jc 3f
    cmp eax, 0x534d4150
    jne 3f
    mov dword ptr [di + 20], 0          # multiboot2's reserved word
    add di, CD_ENTRY_BYTES
    dec bp
    jz 3f
    test ebx, ebx
    jnz 2b
3:  cli
    mov dword ptr [CD_INFORMATION + 4], 0
    mov dword ptr [CD_INFORMATION + 8], 6
    movzx eax, di
    sub eax, CD_INFORMATION + 8
    mov dword ptr [CD_INFORMATION + 12], eax
    mov dword ptr [CD_INFORMATION + 16], CD_ENTRY_BYTES
    mov dword ptr [CD_INFORMATION + 20], 0
    mov dword ptr [di], 0
    mov dword ptr [di + 4], 8
    add eax, 16
    mov dword ptr [CD_INFORMATION], eax

    lgdt [CD_GDT_POINTER]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    .byte 0x66, 0xea                    # far jump, 32-bit
    .long cd_protected - cd + CD_BASE
    .short 8
.code32
cd_protected:
    mov ax, 16
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esi, offset CD_BEHIND
    mov ebx, offset CD_IMAGE
    mov ecx, dword ptr [ebx]
    mov edi, dword ptr [ebx + 4]
    mov edx, dword ptr [ebx + 8]
    shr ecx, 2
    rep movsd
    mov eax, 0x36d76289
    mov ebx, CD_INFORMATION
    jmp edx
    .balign 16
cd_end:
.set CD_BEHIND, cd_end - cd + CD_BASE
.code64
.text
