# What compiled Rust expects from a C library. Sixteen bytes at a time: under an emulator the
# string instructions of x86 take their time for every single element.

.section .text.memory_functions, "ax"

.global memcpy
memcpy:                                 # rdi to, rsi from, rdx bytes
    mov rax, rdi
    cmp rdx, 16
    jb 2f
1:  movups xmm0, [rsi]
    movups [rdi], xmm0
    add rsi, 16
    add rdi, 16
    sub rdx, 16
    cmp rdx, 16
    jae 1b
2:  test rdx, rdx
    jz 4f
3:  mov cl, [rsi]
    mov [rdi], cl
    inc rsi
    inc rdi
    dec rdx
    jnz 3b
4:  ret

.global memmove
memmove:
    mov rax, rdi
    sub rax, rsi
    cmp rax, rdx                        # to - from, unsigned: forward is safe unless below length
    jae memcpy
    mov rax, rdi
1:  test rdx, rdx
    jz 2f
    dec rdx
    mov cl, [rsi + rdx]
    mov [rdi + rdx], cl
    jmp 1b
2:  ret

.global memset
memset:                                 # rdi to, sil byte, rdx bytes
    mov rax, rdi
    movzx ecx, sil
    mov r8, 0x0101010101010101
    imul rcx, r8
    movq xmm0, rcx
    punpcklqdq xmm0, xmm0
1:  cmp rdx, 64
    jb 2f
    movups [rdi], xmm0
    movups [rdi + 16], xmm0
    movups [rdi + 32], xmm0
    movups [rdi + 48], xmm0
    add rdi, 64
    sub rdx, 64
    jmp 1b
2:  test rdx, rdx
    jz 4f
3:  mov [rdi], cl
    inc rdi
    dec rdx
    jnz 3b
4:  ret

.global memcmp
.global bcmp
memcmp:
bcmp:
    xor ecx, ecx
1:  cmp rcx, rdx
    jae 2f
    movzx eax, byte ptr [rdi + rcx]
    movzx r8d, byte ptr [rsi + rcx]
    inc rcx
    sub eax, r8d
    jz 1b
    ret
2:  xor eax, eax
    ret

.global strlen
strlen:
    xor eax, eax
1:  cmp byte ptr [rdi + rax], 0
    je 2f
    inc rax
    jmp 1b
2:  ret

# Never called: nothing unwinds with panic = "abort".
.global rust_eh_personality
rust_eh_personality:
    ud2
