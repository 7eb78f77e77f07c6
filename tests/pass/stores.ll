; SPDX-License-Identifier: Apache-2.0
; What is marked, and what is not.  opt -load-pass-plugin=OptMigPass.so -passes=optmig -S
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-f80:128-n8:16:32:64-S128"
target triple = "x86_64-pc-linux-gnu"

declare void @callee()
declare void @llvm.masked.store.v4i32.p0v4i32(<4 x i32>, <4 x i32>*, i32, <4 x i1>)
declare void @llvm.masked.scatter.v2i32.v2p0i32(<2 x i32>, <2 x i32*>, i32, <2 x i1>)
declare void @llvm.memset.p0i8.i64(i8*, i8, i64, i1)
declare void @llvm.va_start(i8*)

; A plain store: the mark is behind it, is volatile, and there is one.
; CHECK-LABEL: define void @plain(
; CHECK: store i32 %v, i32* %p
; CHECK-NEXT: %[[A:.*]] = ptrtoint i32* %p to i64
; CHECK-NEXT: %[[S:.*]] = lshr i64 %[[A]], 12
; CHECK-NEXT: %[[C:.*]] = getelementptr [268435456 x i8], [268435456 x i8]* @__optmig_cards_v3, i64 0, i64 %[[S]]
; CHECK-NEXT: store volatile i8 1, i8* %[[C]]
; CHECK-NOT: volatile
; CHECK: ret void
define void @plain(i32* %p, i32 %v) {
  store i32 %v, i32* %p, align 4
  ret void
}

; One that can cross a page: the first byte's card covers the next page's head (boundary/card.h).
; CHECK-LABEL: define void @unaligned(
; CHECK: store i64
; CHECK: store volatile i8 1
; CHECK-NOT: volatile
; CHECK: ret void
define void @unaligned(i64* %p, i64 %v) {
  store i64 %v, i64* %p, align 1
  ret void
}

; What is longer than a head and a byte: the last byte's card too.
; CHECK-LABEL: define void @longer(
; CHECK: call void @llvm.memset{{.*}} 257
; CHECK: store volatile i8 1
; CHECK-NOT: volatile
; CHECK: call void @llvm.memset{{.*}} 258
; CHECK: store volatile i8 1
; CHECK: add i64 %{{.*}}, 257
; CHECK: store volatile i8 1
; CHECK-NOT: volatile
; CHECK: ret void
define void @longer(i8* %p) {
  call void @llvm.memset.p0i8.i64(i8* %p, i8 1, i64 257, i1 false)
  call void @llvm.memset.p0i8.i64(i8* %p, i8 1, i64 258, i1 false)
  ret void
}

; The own stack is sent whole.
; CHECK-LABEL: define i32 @own(
; CHECK-NOT: volatile
; CHECK: ret i32
define i32 @own() {
  %x = alloca [4 x i32]
  %p = getelementptr [4 x i32], [4 x i32]* %x, i64 0, i64 2
  store i32 1, i32* %p
  %v = load i32, i32* %p
  ret i32 %v
}

; CHECK-LABEL: define i32 @atomics(
; CHECK: atomicrmw add
; CHECK: store volatile i8 1
; CHECK: cmpxchg
; CHECK: store volatile i8 1
; CHECK: store atomic
; CHECK: store volatile i8 1
; CHECK: ret i32
define i32 @atomics(i32* %a, i32* %b, i32* %c) {
  %o = atomicrmw add i32* %a, i32 1 seq_cst
  %x = cmpxchg i32* %b, i32 0, i32 1 seq_cst seq_cst
  store atomic i32 3, i32* %c release, align 4
  ret i32 %o
}

; Each lane of a scatter; a masked store as if all lanes were set.
; CHECK-LABEL: define void @vectors(
; CHECK: call void @llvm.masked.store
; CHECK: store volatile i8 1
; CHECK-NOT: volatile
; CHECK: call void @llvm.masked.scatter
; CHECK: extractelement <2 x i32*> %to, i64 0
; CHECK: store volatile i8 1
; CHECK: extractelement <2 x i32*> %to, i64 1
; CHECK: store volatile i8 1
; CHECK: ret void
define void @vectors(<4 x i32> %v, <4 x i32>* %p, <4 x i1> %m, <2 x i32> %w, <2 x i32*> %to, <2 x i1> %n) {
  call void @llvm.masked.store.v4i32.p0v4i32(<4 x i32> %v, <4 x i32>* %p, i32 4, <4 x i1> %m)
  call void @llvm.masked.scatter.v2i32.v2p0i32(<2 x i32> %w, <2 x i32*> %to, i32 4, <2 x i1> %n)
  ret void
}

; A short memset becomes stores; a long one, or one of unknown length, is a call of libc's, which marks.
; CHECK-LABEL: define void @sets(
; CHECK: call void @llvm.memset{{.*}} i64 64, i1 false)
; CHECK: store volatile i8 1
; CHECK: call void @llvm.memset{{.*}} i64 %n, i1 false)
; CHECK-NOT: volatile
; CHECK: ret void
define void @sets(i8* %p, i64 %n) {
  call void @llvm.memset.p0i8.i64(i8* %p, i8 0, i64 64, i1 false)
  call void @llvm.memset.p0i8.i64(i8* %p, i8 0, i64 %n, i1 false)
  ret void
}

; CHECK-LABEL: define void @hidden(
; CHECK: call void asm "movl $$1, $0", "=*m"
; CHECK: store volatile i8 1
; CHECK: call void @llvm.va_start
; CHECK: store volatile i8 1
; CHECK: ret void
define void @hidden(i32* %p, i8* %list, ...) {
  call void asm "movl $$1, $0", "=*m"(i32* elementtype(i32) %p)
  call void @llvm.va_start(i8* %list)
  ret void
}

; Several to one object: one mark, behind the last store.
; CHECK-LABEL: define void @group(
; CHECK: store i32 1
; CHECK-NOT: volatile
; CHECK: store i32 2
; CHECK-NOT: volatile
; CHECK: store i64 3
; CHECK: store volatile i8 1
; CHECK-NOT: volatile
; CHECK: ret void
define void @group({i32, i32, i64, i64}* %p) {
  %a = getelementptr {i32, i32, i64, i64}, {i32, i32, i64, i64}* %p, i64 0, i32 0
  %b = getelementptr {i32, i32, i64, i64}, {i32, i32, i64, i64}* %p, i64 0, i32 1
  %c = getelementptr {i32, i32, i64, i64}, {i32, i32, i64, i64}* %p, i64 1, i32 0
  %d = bitcast i32* %c to i64*
  store i32 1, i32* %a
  store i32 2, i32* %b
  store i64 3, i64* %d, align 8
  ret void
}

; A call is a safepoint: what was stored before it is marked before it.
; CHECK-LABEL: define void @call_between(
; CHECK: testb %al, __optmig_poll_v3
; CHECK: store i32 1
; CHECK: store volatile i8 1
; CHECK: call void @callee
; CHECK: store i32 2
; CHECK: store volatile i8 1
; CHECK: ret void
define void @call_between(i32* %p) {
  store i32 1, i32* %p
  call void @callee()
  store i32 2, i32* %p
  ret void
}

; A poll at the back-edge, behind the marks; none in a leaf.  (Counted loops: strips.ll.)
; CHECK-LABEL: define void @loop(
; CHECK: entry:
; CHECK-NOT: testb
; CHECK: body:
; CHECK: store i32
; CHECK: store volatile i8 1
; CHECK: testb %al, __optmig_poll_v3
; CHECK: icmp
; CHECK-NEXT: br i1
define void @loop({i32, i8*}* %p) {
entry:
  br label %body
body:
  %i = phi {i32, i8*}* [ %p, %entry ], [ %n, %body ]
  %q = getelementptr {i32, i8*}, {i32, i8*}* %i, i64 0, i32 0
  store i32 1, i32* %q
  %a = getelementptr {i32, i8*}, {i32, i8*}* %i, i64 0, i32 1
  %v = load i8*, i8** %a
  %n = bitcast i8* %v to {i32, i8*}*
  %e = icmp eq i8* %v, null
  br i1 %e, label %out, label %body
out:
  ret void
}

; A non-temporal store would become visible behind its mark: it is made an ordinary one, or waited for.
; CHECK-LABEL: define void @nontemporal(
; CHECK: store <4 x i32> %v, <4 x i32>* %p, align 16{{$}}
; CHECK: store volatile i8 1
; CHECK: call void @llvm.x86.sse2.maskmov.dqu
; CHECK-NEXT: call void @llvm.x86.sse.sfence()
; CHECK: store volatile i8 1
; CHECK: ret void
declare void @llvm.x86.sse2.maskmov.dqu(<16 x i8>, <16 x i8>, i8*)
define void @nontemporal(<4 x i32>* %p, <4 x i32> %v, <16 x i8> %w, i8* %q) {
  store <4 x i32> %v, <4 x i32>* %p, align 16, !nontemporal !0
  call void @llvm.x86.sse2.maskmov.dqu(<16 x i8> %w, <16 x i8> %w, i8* %q)
  ret void
}
!0 = !{i32 1}

; Behind a system call comes an instruction that nothing jumps to.
; CHECK-LABEL: define i64 @kernel(
; CHECK: call i64 asm sideeffect "syscall"
; CHECK-NEXT: call void asm sideeffect "nop"
; CHECK: ret i64
define i64 @kernel(i64 %number) {
  %result = call i64 asm sideeffect "syscall", "={ax},{ax},~{rcx},~{r11},~{memory}"(i64 %number)
  ret i64 %result
}
