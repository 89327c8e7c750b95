import { BooleanInput, Login, PasswordInput, required, SaveButton, SimpleForm, TextInput, useLogin, useNotify } from 'react-admin';

export const SignIn = () => {
  const login = useLogin();
  const notify = useNotify();
  const signIn = (values) => login(values).catch((error) => notify(error.message, { type: 'error' }));
  return (
    <Login>
      <SimpleForm onSubmit={signIn} toolbar={false}>
        <TextInput source="email" autoComplete="username" validate={required()} />
        <PasswordInput source="password" autoComplete="current-password" validate={required()} />
        <BooleanInput source="isNew" label="I have no account yet" defaultValue={false} />
        <SaveButton label="Sign in" icon={null} alwaysEnable />
      </SimpleForm>
    </Login>
  );
};
