# Entries of interrupts and exceptions. Rust code keeps data below its stack pointer (the red
# zone), so every entry switches to a stack of its own: see the descriptors in interrupts.rs.

.section .text.interrupts, "ax"

# The timer's only job is to end `hlt`.
.global timer_interrupt
timer_interrupt:
    push rax
    mov eax, 0xfee000b0                 # end of interrupt
    mov dword ptr [rax], 0
    pop rax
    iretq

.global spurious_interrupt
spurious_interrupt:
    iretq

# Thirty-two entries of 16 bytes each; those exceptions that push no error code get a zero.
.balign 16
.global exception_entries
exception_entries:
.set vector, 0
.rept 32
    .balign 16
    .if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30)
    .else
    push 0
    .endif
    push vector
    jmp exception_common
    .set vector, vector + 1
.endr

exception_common:
    pop rdi                             # vector
    pop rsi                             # error code
    mov rdx, [rsp]                      # where
    mov rcx, cr2
    and rsp, -16
    call exception
    ud2
