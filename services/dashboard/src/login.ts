/** The page for who is logged out: the place stays in the address, and is there again afterwards. */
import { html, nothing, render } from "lit-html";

import { Problem } from "./api";
import type { Session } from "./session";

export function showLogin(element: HTMLElement, session: Session): void {
  let busy = false;
  let fault = "";

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    if (busy) return;
    const form = new FormData(event.target as HTMLFormElement);
    busy = true;
    fault = "";
    draw();
    try {
      await session.login(String(form.get("email")), String(form.get("password")));
    } catch (error) {
      fault = error instanceof Problem ? sentence(error.message) : "Something went wrong.";
      busy = false;
      draw();
      element.querySelector<HTMLInputElement>("[name=password]")?.select();
    }
  }

  function draw(): void {
    render(
      html`<main class="login">
        <form @submit=${submit} aria-labelledby="login-title">
          <h1 id="login-title">Option ARO</h1>
          <p>${session.reason || "Live option chains and analytics."}</p>
          <label>E-mail<input name="email" type="email" autocomplete="username" required autofocus></label>
          <label>Password<input name="password" type="password" autocomplete="current-password" required></label>
          <p class="fault" role="alert">${fault || nothing}</p>
          <button class="primary" type="submit" ?disabled=${busy}>${busy ? "Logging in …" : "Log in"}</button>
        </form>
      </main>`,
      element,
    );
  }

  draw();
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}
